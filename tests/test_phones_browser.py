"""Tables and headings on a phone: what fits, what tells that there is more, what breaks where."""

import pytest
from flask import Flask
from playwright.sync_api import expect

from pypistats import ingest, rankings
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab

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
