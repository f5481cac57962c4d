"""The browser for tests sees what goes wrong in a page, or no test with it could fail."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page

from tests.fixtures_browser import OpenTab

PAGE = b"""<!doctype html><title>Faults</title><link rel="icon" href="data:,">
<p>width <b></b></p><button>break</button>
<script>
document.querySelector("b").textContent = innerWidth;
document.querySelector("button").onclick = () => { console.error("told"); missing(); };
</script>
"""


class Site(BaseHTTPRequestHandler):
    """Answers one page, and that page with an image from elsewhere at /foreign."""

    def do_GET(self) -> None:
        page = PAGE
        if self.path == "/foreign":
            page += b'<img src="http://elsewhere.example/x.png">'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_arguments: object) -> None:
        """Keep still."""


@pytest.fixture
def server_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_is_opened_in_the_size_and_the_colours_that_are_asked_for(open_tab: OpenTab) -> None:
    tab = open_tab("/", width=390, dark=True)

    assert tab.page.locator("b").inner_text() == "390"
    assert tab.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def test_a_tab_closes_while_its_server_still_answers(open_tab: OpenTab, server_url: str) -> None:
    tab = open_tab("/")

    def ask(_closed: Page) -> None:
        try:
            urlopen(server_url).close()
        except OSError as error:
            tab.errors.append(str(error))

    tab.page.on("close", ask)


def test_without_script_none_runs(open_tab: OpenTab) -> None:
    tab = open_tab("/", script=False)

    assert tab.page.locator("b").inner_text() == ""


def test_errors_are_seen(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    with tab.page.expect_event("pageerror"):
        tab.page.locator("button").click()

    assert tab.errors == ["told", "missing is not defined"]
    tab.errors.clear()


def test_a_request_to_another_host_is_seen_and_not_let_out(open_tab: OpenTab) -> None:
    tab = open_tab("/foreign")

    assert tab.foreign == ["http://elsewhere.example/x.png"]
    assert tab.errors == ["Failed to load resource: net::ERR_FAILED"]
    tab.foreign.clear()
    tab.errors.clear()
