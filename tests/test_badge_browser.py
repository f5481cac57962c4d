"""Badges as a browser draws them: the texts fit into their parts by its own measure."""

import math

import pytest
from playwright.sync_api import Browser

from pypistats import badges
from pypistats.badges import Badge, Style

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
