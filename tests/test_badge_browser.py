"""Badges as a browser draws them: the texts fit into their parts by its own measure."""

import math

import pytest
from flask import Flask
from playwright.sync_api import Browser

from pypistats import badges, ingest
from pypistats.badges import PERIODS, Badge, Style
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab

TEXTS = (
    "downloads",
    "1.2M/month",
    "invalid left_color",
    "Скачивания",
    "WWWWW",
    "1,234,567,890/week",
)

MEASURE = """() => [...document.querySelectorAll("text:not([aria-hidden])")].map((text) => {
    const reckoned = Number(text.getAttribute("textLength"));
    text.removeAttribute("textLength");
    return [reckoned, text.getComputedTextLength()];
})"""


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_about_as_wide_as_was_reckoned(
    chromium: Browser, style: Style, text: str
) -> None:
    page = chromium.new_page()
    page.set_content(badges.svg(Badge(text, text, "blue", style=style)))

    measured = page.evaluate(MEASURE)

    page.close()
    assert len(measured) == 2
    for reckoned, drawn in measured:
        spacing = math.ceil(1.25 * len(text)) if style is Style.FOR_THE_BADGE else 0
        # Within a pixel in DejaVu Sans; a browser without it has another font, of its own width.
        assert 0.85 * (reckoned - spacing) - 1 <= drawn <= 1.15 * (reckoned - spacing)


def test_a_page_full_of_badges_has_no_hole(app: Flask, open_tab: OpenTab) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))
    known = [f"flask.svg?style={style}&period={period}" for style in Style for period in PERIODS]
    wrong = ["unknown.svg", "a%00b.svg", "flask.svg?color=nothing", "flask.svg?period=year"]
    tab = open_tab("/about")

    widths = tab.page.evaluate(
        """(addresses) => Promise.all(addresses.map((address) => new Promise((resolve) => {
            const image = new Image();
            image.onload = image.onerror = () => resolve(image.naturalWidth);
            image.src = `/badge/${address}`;
        })))""",
        [*known, *wrong, *(f"unknown.svg?style={style}" for style in Style)],
    )
    tab.errors[:] = [error for error in tab.errors if "the server responded with" not in error]

    assert len(widths) == 29
    assert all(60 < width < 300 for width in widths)
