"""Takes docs/screenshots anew: each page, light and dark, on a wide screen and a phone.

`make screenshots` takes them of a site with the sample; `python -m tests.take_screenshots URL` of
one that runs already.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.running_site import site
from pypistats.browsers import find_browser

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"

PAGES = {
    "start": "/",
    "search": "/search?q=py",
    "package": "/packages/requests",
    "all-packages": "/packages/__all__",
    "top": "/top",
    "compare": "/compare?packages=requests,httpx,flask",
    "status": "/status",
    "api": "/api",
    "faqs": "/faqs",
    "about": "/about",
    "not-found": "/packages/reqeusts",
}
WIDTHS = {1440: 720, 390: 390}
"""The width of the window, and that of the picture."""

LONGEST = 2_000
"""Pixels of a page that are taken; what is below is more of the same."""

COLORS = 64


@click.command()
@click.argument("url", required=False)
def main(url: str | None) -> None:
    """Take a picture of each page."""
    with sync_playwright() as playwright, _served(url) as address:
        path = find_browser(os.environ.get("BROWSER_PATH"))
        browser = playwright.chromium.launch(executable_path=path)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, page in PAGES.items():
            for width in WIDTHS:
                for theme in ("light", "dark"):
                    picture = take(browser, address + page, width, theme)
                    picture.save(FOLDER / f"{name}-{width}-{theme}.png", optimize=True)
        browser.close()
    click.echo(f"{sum(path.stat().st_size for path in FOLDER.iterdir()):,} bytes in {FOLDER}")


@contextlib.contextmanager
def _served(url: str | None) -> Iterator[str]:
    if url:
        yield url.rstrip("/")
        return
    with site() as port:
        yield f"http://127.0.0.1:{port}"


def take(browser: Browser, url: str, width: int, theme: str) -> Image.Image:
    """Return the picture of a page, scrolled through first so that all of it is drawn."""
    dark = "dark" if theme == "dark" else "light"
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=dark)
    page.goto(url, wait_until="networkidle")
    height = min(page.evaluate("document.documentElement.scrollHeight"), LONGEST)
    for top in range(0, height, 600):
        page.evaluate(f"() => scrollTo(0, {top})")
        page.wait_for_timeout(50)
        page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
    page.evaluate("() => scrollTo(0, 0)")
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_load_state("networkidle")
    page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
    taken = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    size = WIDTHS[width], round(taken.height * WIDTHS[width] / width)
    return (
        taken.convert("RGB")
        .resize(size, Image.Resampling.LANCZOS)
        .quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )


if __name__ == "__main__":
    main()
