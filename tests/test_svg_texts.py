"""Charts as SVG, in a browser whose font is not the one that they were drawn with."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page

from pypistats import charts
from pypistats.catalog import Dimension
from pypistats.chart_room import Size
from pypistats.charts import Chart
from pypistats.palette import Theme
from pypistats.render import Renderer
from tests.test_chart_looks import ELEVEN, chart

FONTS = Path(__file__).parent.parent / "pypistats" / "fonts"
PATIENT = 120

CHARTS = {
    "mirrors": chart({"with_mirrors": 5, "without_mirrors": 4}, dimension=Dimension.OVERALL),
    "systems": chart(
        {"Linux": 5, "Windows": 4, "Darwin": 3, "null": 2, "other": 1}, dimension=Dimension.SYSTEM
    ),
    "names": chart(ELEVEN),
}

TEXTS = """() => {
    const right = (element) => element.getBoundingClientRect().right;
    const [svg] = document.getElementsByTagName("svg");
    const clip = svg.querySelector("[id^=legend] rect");
    const legend = svg.querySelector(".legend");
    return {
        picture: right(svg),
        legend: legend.getBoundingClientRect().left + Number(clip.getAttribute("width")),
        rows: [...svg.querySelectorAll(".legend .traces")].map((entry) => {
            const text = entry.querySelector("text").getBoundingClientRect();
            return [text.top, entry.querySelector("path").getBoundingClientRect().left, text.right];
        }),
        others: [...svg.querySelectorAll("text:not(.legendtext)")].map(right),
    };
}"""
"""Tells where the legend and its texts end, and for each entry its row, start and end."""


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer(browser=None, seconds=PATIENT, places=1)
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1300, "height": 700})
    yield page
    page.close()


def svg(renderer: Renderer, shown: Chart, size: Size) -> str:
    figure = charts.figure(shown, theme=Theme.LIGHT, size=size)
    options = {"format": "svg", "width": size.width, "height": size.height, "scale": 1}
    return renderer.render(figure, options).decode()


def face(file: str, weight: int, wider: int) -> str:
    font = base64.b64encode((FONTS / file).read_bytes()).decode()
    return (
        f"@font-face {{ font-family: Inter; font-weight: {weight}; size-adjust: {100 + wider}%;"
        f" src: url(data:font/ttf;base64,{font}) }}"
    )


def show(page: Page, picture: str, *, wider: int) -> None:
    """Put a picture in a page whose font has letters that are wider by so many percent."""
    faces = face("Inter-Regular.ttf", 400, wider) + face("Inter-Bold.ttf", 700, wider)
    page.set_content(f"<style>{faces}</style><body style='margin: 0'>{picture}")
    page.evaluate("() => document.fonts.ready.then(() => null)")


@pytest.mark.parametrize("size", [Size(400, 300), Size(1200, 600)], ids=["small", "large"])
@pytest.mark.parametrize("name", CHARTS)
def test_in_a_wider_font_no_text_is_cut_or_runs_into_another(
    renderer: Renderer, page: Page, name: str, size: Size
) -> None:
    show(page, svg(renderer, CHARTS[name], size), wider=25)

    found = page.evaluate(TEXTS)

    assert max(found["others"]) <= found["picture"]
    assert max(end for _, _, end in found["rows"]) <= found["legend"]
    for (row, _, end), (next_row, start, _) in zip(found["rows"], found["rows"][1:], strict=False):
        assert row != next_row or end < start


def test_each_line_has_its_width_and_is_where_plotly_put_it(renderer: Renderer, page: Page) -> None:
    picture = svg(renderer, CHARTS["systems"], Size(1200, 600))
    boxes = """() => [...document.querySelectorAll("text")].map((text) => {
        const { left, top, right, bottom } = text.getBoundingClientRect();
        return [left, top, right, bottom];
    })"""

    show(page, picture, wider=0)
    fixed = page.evaluate(boxes)
    show(page, re.sub(r' (textLength|lengthAdjust)="[^"]+"', "", picture), wider=0)

    texts = [each for each in ElementTree.fromstring(picture).iter() if each.tag.endswith("}text")]
    assert all(float(text.attrib["textLength"]) > 0 for text in texts)
    assert {"requests", "Daily downloads by system, without mirrors · to 29 June 2026"} <= {
        "".join(text.itertext()) for text in texts
    }
    for here, there in zip(fixed, page.evaluate(boxes), strict=True):
        assert here == pytest.approx(there, rel=0.02, abs=1)


def test_a_png_is_drawn_after_an_svg(renderer: Renderer) -> None:
    """The page stays the same for what is drawn next."""
    figure = charts.figure(CHARTS["names"], theme=Theme.LIGHT, size=Size(400, 300))
    options = {"format": "png", "width": 400, "height": 300, "scale": 1}
    before = renderer.render(figure, options)

    svg(renderer, CHARTS["names"], Size(400, 300))

    assert renderer.render(figure, options) == before
