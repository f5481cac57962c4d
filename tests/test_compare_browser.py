"""A comparison in a browser, with script and without."""

import datetime as dt
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import expect

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab
from tests.site import emptied, served

PATIENT = 30_000
"""Milliseconds: the machine may have much else to do."""

PATH = "/compare?packages=flask,requests&mode=indexed"


@pytest.fixture(scope="module")
def server_url(session_app: Flask) -> Iterator[str]:
    """Serve two days of two packages to all tests of the module."""
    with emptied(session_app):
        with session_app.app_context():
            for ago in (0, 1):
                day = DAY - dt.timedelta(days=ago)
                flask = package_day("flask", day, downloads=30 - 10 * ago)
                requests = package_day("requests", day, downloads=400)
                ingest.ingest_day(day, FixedSource(flask, requests))
        with served(session_app) as url:
            yield url


def test_the_chart_has_a_line_for_each_package(open_tab: OpenTab) -> None:
    tab = open_tab(PATH)
    plot = tab.page.locator(".plot")
    expect(plot).to_have_attribute("aria-busy", "false", timeout=PATIENT)

    traces = plot.evaluate("plot => plot.data.map(({ name, y }) => [name, [...y]])")

    assert traces == [["flask", [100, 150]], ["requests", [100, 100]]]


def test_the_scale_is_chosen_and_stands_in_the_address(open_tab: OpenTab) -> None:
    tab = open_tab(PATH)
    plot = tab.page.locator(".plot")
    expect(plot).to_have_attribute("aria-busy", "false", timeout=PATIENT)

    tab.page.get_by_role("checkbox", name="Log scale").click()

    tab.page.wait_for_function(
        "() => document.querySelector('.plot').layout.yaxis.type === 'log'", timeout=PATIENT
    )
    assert parse_qs(urlsplit(tab.page.url).query) == {
        "packages": ["flask,requests"],
        "mode": ["indexed"],
        "scale": ["log"],
    }


def test_the_form_leads_to_another_comparison(open_tab: OpenTab) -> None:
    tab = open_tab(PATH)

    tab.page.get_by_label("Show", exact=True).select_option("Shares")
    tab.page.get_by_label("Days", exact=True).select_option("The last 30")
    tab.page.get_by_role("main").get_by_role("button", name="Compare").click()

    tab.page.wait_for_url(lambda url: "mode=share" in url)
    expect(tab.page.get_by_label("Days", exact=True)).to_have_value("30")
    expect(tab.page.locator(".plot")).to_have_attribute("aria-busy", "false", timeout=PATIENT)


def test_without_script_there_is_a_picture_and_a_table(open_tab: OpenTab) -> None:
    tab = open_tab(PATH, script=False)
    picture = tab.page.get_by_role("img", name="Daily downloads of flask, requests, as a chart")

    expect(picture).to_be_visible()
    expect(tab.page.locator("tbody tr")).to_have_count(2)
    tab.page.wait_for_load_state("networkidle")
    assert tab.page.request.get(picture.get_attribute("src") or "-").ok
