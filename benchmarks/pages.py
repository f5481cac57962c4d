"""What a page costs who opens it over a slow line, by Chromium's own trace: `make bench-pages`.

A phone that is four times slower than this machine opens pages over a line of 1.6 Mbit/s with 150
milliseconds to the site and back. The first visit has nothing yet, and scrolls until every chart
is drawn; the second page comes after it. Each is done several times, and the medians are printed.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click
import orjson
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.running_site import site
from pypistats.browsers import find_browser

LINE = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
SLOWER = 4
ROUNDS = 3
LONG_TASK = 50_000
"""Microseconds; what a task takes beyond them is blocking time."""

CATEGORIES = [
    "loading",
    "blink.user_timing",
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
]
SETTLED_SECONDS = 1.5
STEP = 400


class Visit(NamedTuple):
    """What one visit took: milliseconds until paints, milliseconds blocked, shift, and bytes."""

    first_paint: float
    largest_paint: float
    blocked: float
    shift: float
    transferred: int
    requests: int


class Traffic:
    """Counts what comes over the line."""

    def __init__(self, session: CDPSession) -> None:
        self.transferred = 0
        self.requests = 0
        session.on("Network.loadingFinished", self._note)

    def _note(self, event: dict[str, Any]) -> None:
        self.transferred += event["encodedDataLength"]
        self.requests += bool(event["encodedDataLength"])


@click.command()
def main() -> None:
    """Measure, and print a table."""
    with site() as port, sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_browser(None))
        measured = [
            list(visits(browser, f"http://127.0.0.1:{port}", Path(folder))) for _ in range(ROUNDS)
        ]
        browser.close()
    head = ("", "first paint", "largest", "blocked", "shift", "KB", "requests")
    click.echo("{:36}{:>12}{:>9}{:>9}{:>8}{:>8}{:>10}".format(*head))
    for same in zip(*measured, strict=True):
        name = same[0][0]
        middle = Visit(*map(statistics.median, zip(*(visit for _, visit in same), strict=True)))
        click.echo(
            f"{name:36}{middle.first_paint:9.0f} ms{middle.largest_paint:6.0f} ms"
            f"{middle.blocked:6.0f} ms{middle.shift:8.3f}{middle.transferred / 1000:8.1f}"
            f"{middle.requests:10.0f}"
        )


def visits(browser: Browser, url: str, folder: Path) -> Iterator[tuple[str, Visit]]:
    """Open pages in browsers that have none of them, some one after the other."""
    with visitor(browser, url, folder) as visit:
        yield "package page, first view", visit("/packages/requests", settle)
    with visitor(browser, url, folder) as visit:
        yield "package page, all charts", visit("/packages/requests", scroll)
        yield "a second one after it", visit("/packages/flask", scroll)
        yield "the start page after it", visit("/", settle)


@contextlib.contextmanager
def visitor(browser: Browser, url: str, folder: Path) -> Iterator[Callable[..., Visit]]:
    """Give a function that opens a page on the slow line and returns what that took."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", LINE)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    traffic = Traffic(session)

    def visit(path: str, look: Callable[[Page], None]) -> Visit:
        traffic.transferred = traffic.requests = 0
        trace = folder / "trace.json"
        browser.start_tracing(page=page, path=trace, categories=CATEGORIES)
        page.goto(url + path, wait_until="load")
        look(page)
        browser.stop_tracing()
        return read_trace(orjson.loads(trace.read_bytes())["traceEvents"], traffic)

    yield visit
    context.close()


def settle(page: Page) -> None:
    """Wait until nothing comes over the line any more."""
    page.wait_for_load_state("networkidle")
    time.sleep(SETTLED_SECONDS)


def scroll(page: Page) -> None:
    """Scroll through the page, and wait until all that this asked for is there."""
    height = page.evaluate("document.documentElement.scrollHeight")
    for _ in range(0, height, STEP):
        page.mouse.wheel(0, STEP)
        page.evaluate("new Promise(requestAnimationFrame)")
    settle(page)


def read_trace(events: list[dict[str, Any]], traffic: Traffic) -> Visit:
    """Return what a trace tells of the page's own frame."""
    start, pid = next(
        (event["ts"], event["pid"])
        for event in events
        if event["name"] == "navigationStart" and event["args"]["data"]["documentLoaderURL"]
    )
    own = [event for event in events if event["pid"] == pid and event.get("ts", 0) >= start]

    def last(name: str) -> float:
        times = [event["ts"] for event in own if event["name"] == name]
        return (max(times, default=start) - start) / 1000

    tasks = [event["dur"] for event in own if event["name"] == "RunTask" and "dur" in event]
    shifts = [
        event["args"]["data"]["weighted_score_delta"]
        for event in own
        if event["name"] == "LayoutShift" and not event["args"]["data"]["had_recent_input"]
    ]
    return Visit(
        last("firstContentfulPaint"),
        last("largestContentfulPaint::Candidate"),
        sum(duration - LONG_TASK for duration in tasks if duration > LONG_TASK) / 1000,
        sum(shifts),
        traffic.transferred,
        traffic.requests,
    )


if __name__ == "__main__":
    main()
