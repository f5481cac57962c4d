"""Tables and headings on a phone: what fits, what tells that there is more, what breaks where."""

import io

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Locator, expect

from pypistats import ingest, rankings
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab

COMPARED = "/compare?packages=flask,flask-caching"

BROKEN_WORDS = """headings => headings.flatMap((heading) => {
    const texts = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    const broken = [];
    let before = "", line = null;
    while (texts.nextNode()) {
        const text = texts.currentNode;
        for (let place = 0; place < text.length; place += 1) {
            range.setStart(text, place);
            range.setEnd(text, place + 1);
            const { bottom, height } = range.getBoundingClientRect();
            const next = line !== null && bottom - line > height / 2;
            if (next && /[^\\s/_-]$/.test(before) && /\\S/.test(text.data[place])) {
                broken.push(before + "|" + text.data.slice(place));
            }
            before += text.data[place];
            if (height) line = bottom;
        }
    }
    return broken;
})"""


@pytest.fixture(autouse=True)
def packages(app: Flask) -> None:
    with app.app_context():
        source = FixedSource(
            package_day("flask", downloads=98_765_432, mirrored=7),
            package_day("flask-caching", downloads=2_345_678),
        )
        ingest.ingest_day(DAY, source)
        rankings.refresh()
        db.session.commit()


def hidden_width(box: Locator) -> int:
    """Return how many pixels of the box's content lie outside it."""
    hidden: int = box.evaluate("box => box.scrollWidth - box.clientWidth")
    return hidden


def edge(box: Locator) -> set[object]:
    """Return the colours at the box's right edge, above its first row's text."""
    taken = Image.open(io.BytesIO(box.screenshot())).convert("RGB")
    return {taken.getpixel((taken.width - 2, y)) for y in range(1, 4)}


@pytest.mark.parametrize("width", [320, 360, 580])
def test_no_table_of_parameters_is_wider_than_its_box(open_tab: OpenTab, width: int) -> None:
    tab = open_tab("/api", width=width)

    outside = tab.page.locator(".parameters").evaluate_all(
        """tables => tables.map((table) => {
            const right = table.parentElement.getBoundingClientRect().right;
            const parts = [table, ...table.querySelectorAll("tbody :is(th, td, code)")];
            return Math.max(...parts.map((part) => part.getBoundingClientRect().right - right));
        })"""
    )

    assert len(outside) > 10
    assert max(outside) <= 0


def test_a_table_of_parameters_is_a_table_to_a_screen_reader(open_tab: OpenTab) -> None:
    tab = open_tab("/api", width=360)

    table = tab.page.get_by_role("table", name="Parameters of /api/packages/{package}/recent")

    expect(table.get_by_role("columnheader")).to_have_text(["Parameter", "Values", "Meaning"])
    expect(table.get_by_role("rowheader")).to_have_text(["package", "period"])
    period = table.get_by_role("row").nth(2)
    expect(period.get_by_role("cell")).to_have_text(
        ["day, week, month", "Answer this period alone"]
    )


@pytest.mark.parametrize("width", [320, 360, 390])
def test_no_heading_breaks_inside_a_word(open_tab: OpenTab, width: int) -> None:
    tab = open_tab("/api", width=width)
    headings = tab.page.locator("h1, h2, h3, .contents a")

    assert headings.evaluate_all(BROKEN_WORDS) == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_table_that_is_cut_has_a_shadow_where_it_goes_on(open_tab: OpenTab, dark: bool) -> None:
    tab = open_tab("/packages/flask", width=360, dark=dark)
    box = tab.page.get_by_role("region", name="By installer, as a table")
    assert hidden_width(box) > 30
    shadow = edge(box)

    box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")

    page = (16, 21, 27) if dark else (255, 255, 255)
    assert edge(box) == {page}
    assert page not in shadow


@pytest.mark.parametrize("width", [360, 640, 1280])
def test_a_table_that_fits_has_no_shadow(open_tab: OpenTab, width: int) -> None:
    tab = open_tab(COMPARED, width=width)
    box = tab.page.get_by_role("region", name="Downloads in the shown days")

    assert hidden_width(box) == 0
    assert edge(box) == {(255, 255, 255)}


@pytest.mark.parametrize("width", [360, 640])
def test_a_package_is_left_out_of_a_comparison_without_scrolling(
    open_tab: OpenTab, width: int
) -> None:
    tab = open_tab(COMPARED, width=width)

    link = tab.page.get_by_role("link", name="Leave out flask-caching", exact=True)
    box = link.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= (24 if width == 360 else 16)
    link.click()

    expect(tab.page.get_by_role("heading", level=1)).to_have_text("flask")


@pytest.mark.parametrize(
    ("path", "width", "heading"),
    [("/packages/flask", 360, "Installer"), ("/top", 180, "Package")],
)
def test_names_stay_in_sight_while_their_table_scrolls(
    open_tab: OpenTab, path: str, width: int, heading: str
) -> None:
    tab = open_tab(path, width=width)
    box = tab.page.locator(".scroll").filter(has=tab.page.get_by_role("columnheader", name=heading))
    assert hidden_width(box) > 30

    box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")

    covered = """name => {
        const box = name.getBoundingClientRect();
        const top = document.elementFromPoint(box.left + 2, box.top + box.height / 2);
        const left = name.closest(".scroll").getBoundingClientRect().left;
        return [box.left - left, name.contains(top)];
    }"""
    for name in (box.get_by_role("columnheader", name=heading), box.get_by_role("rowheader").first):
        name.scroll_into_view_if_needed()
        assert name.evaluate(covered) == [0, True]
