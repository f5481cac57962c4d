"""What plotly.js makes of a figure: nothing lies over anything else, or out of the picture."""

import base64
import datetime as dt
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from pypistats import charts, series
from pypistats.catalog import Dimension
from pypistats.chart_room import Size
from pypistats.charts import Chart, Kind
from pypistats.palette import Theme
from pypistats.releases import Release
from pypistats.series import Grid

ROOT = Path(__file__).parent.parent
PLOTLY = ROOT / "static" / "vendor" / "plotly-basic.min.js"
FONTS = ROOT / "pypistats" / "fonts"
DAYS = series.day_range(dt.date(2026, 1, 1), dt.date(2026, 6, 29))
PHONE = Size(400, 400)
SMALL = Size(400, 300)
SIZES = [Size(1200, 600), Size(830, 415), SMALL, PHONE, Size(1000, 300), Size(2000, 1200)]

SCRIPTS = ("日本語のとても長いインストーラーの名前", "مثبت طويل الاسم جدا", "Ελληνικό όνομα")
NAMES = ("pip", "uv", "x" * 128, "<b>bold</b> & co", "W" * 40, "null", *SCRIPTS, "9.9.9", "other")


def chart(columns: dict[str, float | None], days: list[str] = DAYS, **asked: Any) -> Chart:
    grid = Grid(days, {name: [value] * len(days) for name, value in columns.items()})
    given: dict[str, Any] = {"package": "requests", "dimension": Dimension.INSTALLER, "grid": grid}
    return Chart(**(given | asked))


ELEVEN = {name: 10.0**place for place, name in enumerate(NAMES)}
CHARTS = {
    "long names": chart(ELEVEN, package="x" * 77, kind=Kind.BAR),
    "a long title": chart(ELEVEN, title="W" * 300, smooth=7, share=True),
    "other scripts": chart(ELEVEN, title="日本語の" * 30),
    "nothing": chart({}),
    "zero": chart({"with_mirrors": 0}, dimension=Dimension.OVERALL),
    "one day": chart({"Linux": 5, "Windows": 2}, DAYS[:1], kind=Kind.BAR),
    "no day": chart({}, []),
    "billions": chart({"Linux": 87_654_321_000, "null": 1}, package="__all__"),
    "suspects": chart({"Linux": 5}, suspects=frozenset(DAYS[-3:])),
    "releases": chart(
        {"with_mirrors": 5, "without_mirrors": 4},
        dimension=Dimension.OVERALL,
        suspects=frozenset(DAYS[-3:]),
        released=[
            Release(f"{2020 + at}.11.30", DAYS[place])
            for at, place in enumerate((0, 3, 9, 30, 70, 80, 120, 140, 170, 174, 178, 179))
        ],
    ),
}

BOXES = """figure => {
    const plot = document.body.firstChild;
    return Plotly.newPlot(plot, figure.data, figure.layout, { staticPlot: true }).then(() => {
        const box = (element) => {
            const { left, top, right, bottom } = element.getBoundingClientRect();
            return [left, top, right, bottom];
        };
        const texts = (kind, selector) => [...plot.querySelectorAll(selector)]
            .filter((element) => element.textContent.trim())
            .map((element) => [`${kind} ${element.textContent}`, box(element)]);
        const boxes = [
            ...texts("title", ".gtitle"),
            ...texts("x tick", ".xtick text"),
            ...texts("y tick", ".ytick text"),
            ...texts("legend", ".legend .legendtext"),
            ...texts("note", ".annotation-text"),
            ...texts("release", ".textpoint text"),
        ];
        Plotly.purge(plot);
        return boxes;
    });
}"""
"""Draws a figure; gives the texts in it with their left, top, right and bottom."""

HEIGHT = """figure => {
    const plot = document.body.firstChild;
    return Plotly.newPlot(plot, figure.data, figure.layout, { staticPlot: true }).then(() => {
        const { h } = plot._fullLayout._size;
        Plotly.purge(plot);
        return h;
    });
}"""
"""Draws a figure; gives the height of what is not heading, days or legend."""

Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 2000, "height": 1200})
    page.set_content("<body style='margin: 0'><div></div>")
    page.add_script_tag(path=PLOTLY)
    for weight, file in ((400, "Inter-Regular.ttf"), (700, "Inter-Bold.ttf")):
        font = base64.b64encode((FONTS / file).read_bytes()).decode()
        page.evaluate(
            """([weight, font]) => new FontFace("Inter", `url(data:font/ttf;base64,${font})`, {
                weight }).load().then((face) => document.fonts.add(face) && null)""",
            [weight, font],
        )
    yield page
    page.close()


def overlap(one: Box, other: Box) -> bool:
    """Tell whether two boxes share more than a rounded pixel."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 1 and down > 1


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size.width}x{size.height}")
@pytest.mark.parametrize("name", CHARTS)
def test_texts_lie_apart_and_inside(page: Page, name: str, size: Size) -> None:
    figure = charts.figure(CHARTS[name], theme=Theme.LIGHT, size=size)

    boxes = page.evaluate(BOXES, figure)

    assert len(boxes) >= 2
    for text, (left, top, right, bottom) in boxes:
        assert 0 <= left < right <= size.width + 1, text
        assert 0 <= top < bottom <= size.height + 1, text
    for (text, one), (other_text, other) in combinations(boxes, 2):
        assert not overlap(one, other), (text, other_text)


MINORS = dict.fromkeys([*(f"3.{minor}" for minor in range(6, 15)), "null", "other"], 5.0)
INSTALLERS = (
    "pip",
    "uv",
    "poetry",
    "requests",
    "setuptools",
    "Homebrew",
    "conda",
    "Bazel",
    "Nexus",
)
SYSTEMS = ("Linux", "Windows", "Darwin", "null", "other")
PACKAGES = ("boto3", "requests", "numpy", "urllib3", "six", "flask", "pandas", "python-dateutil")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("size", "shown"),
    [
        pytest.param(SMALL, chart(MINORS, dimension=Dimension.PYTHON_MINOR), id="minors"),
        pytest.param(SMALL, chart(dict.fromkeys(INSTALLERS, 5)), id="installers"),
        pytest.param(SMALL, chart(dict.fromkeys(SYSTEMS, 5)), id="systems"),
        pytest.param(SMALL, chart(ELEVEN), id="long names"),
        pytest.param(SMALL, chart(MINORS, suspects=frozenset(DAYS[:1])), id="suspects"),
        pytest.param(
            PHONE, chart(dict.fromkeys(PACKAGES, 5), dimension=Dimension.OVERALL), id="comparison"
        ),
    ],
)
def test_half_of_a_small_picture_is_for_what_is_drawn(
    page: Page, shown: Chart, size: Size, kind: Kind
) -> None:
    figure = charts.figure(shown._replace(kind=kind), theme=Theme.LIGHT, size=size)

    assert page.evaluate(HEIGHT, figure) >= size.height / 2
