"""A browser that opens pages of the site, for tests of what a visitor sees and does.

    def test_a_click_sorts_the_table(open_tab: OpenTab) -> None:
        tab = open_tab("/packages/flask", width=390, dark=True)
        tab.page.get_by_role("button", name="Downloads").click()
        expect(tab.page.locator("td").first).to_have_text("12")

`tab.page` is Playwright's page, driven by the browser that also draws the charts, so that no other
one is needed. Paths are those of the site that the fixture `server_url` serves; a module may have
its own. A tab is closed before its server ends, or what the page still loads would be refused.
When the test has ended, a tab that had a script's error, an error on its console or a request to
another host fails it; such requests are not let out. A test that expects some clears
`tab.errors` or `tab.foreign`.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright

from pypistats.browsers import find_browser


@dataclass
class Tab:
    """A page in a browser of its own, and what went wrong in it."""

    page: Page
    host: str
    errors: list[str] = field(default_factory=list)
    """Errors that scripts raised or that the console shows, failed requests among them."""
    foreign: list[str] = field(default_factory=list)
    """Addresses on other hosts that the page asked for."""

    def note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def pass_on(self, route: Route) -> None:
        """Let a request to the site pass, and no other."""
        if urlsplit(route.request.url).netloc == self.host:
            route.continue_()
        else:
            self.foreign.append(route.request.url)
            route.abort()


OpenTab = Callable[..., Tab]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Run one browser for the module."""
    path = find_browser(os.environ.get("BROWSER_PATH"))
    assert path, "there is no browser: `make test` gets one, or says how"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium: Browser, server_url: str) -> Iterator[OpenTab]:
    """Give a function that opens a page of the server and waits until it is loaded."""
    tabs: list[Tab] = []

    def open_tab(
        path: str, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> Tab:
        context = chromium.new_context(
            base_url=server_url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        tab = Tab(context.new_page(), urlsplit(server_url).netloc)
        tabs.append(tab)
        tab.page.on("console", tab.note_console)
        tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
        context.route("**/*", tab.pass_on)
        tab.page.goto(path)
        return tab

    yield open_tab
    for tab in tabs:
        tab.page.context.close()
    assert [(tab.errors, tab.foreign) for tab in tabs] == [([], [])] * len(tabs)
