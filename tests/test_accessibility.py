"""What axe-core finds on the pages, in both themes, and what the keyboard alone can reach."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page, expect

from pypistats import ingest, pypi_store, rankings
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab
from tests.test_package_page import INFO

PAGES = (
    "/",
    "/packages/flask",
    "/packages/flask?releases=major",
    "/packages/__all__",
    "/search",
    "/search?q=fla",
    "/search?q=nothing",
    "/top",
    "/top?list=python:3.12&period=day",
    "/top?list=new",
    "/compare",
    "/compare?packages=flask,flask-caching,nothing&mode=share",
    "/api",
    "/faqs",
    "/about",
)
PATIENT = 30_000
"""Milliseconds: the machine may have much else to do."""

ERRORS = ("/packages/flaskk", "/search?q=%25", "/nothing")


@pytest.fixture(autouse=True)
def packages(app: Flask) -> None:
    with app.app_context():
        source = FixedSource(
            package_day("flask", python_minor={"3.12": 30, "null": 4}, mirrored=7),
            package_day("flask-caching"),
        )
        source.name = "sample"
        ingest.ingest_day(DAY, source)
        rankings.refresh()
        pypi_store.save_info("flask", INFO)
        db.session.commit()


def violations(page: Page) -> list[str]:
    """Return the rules that the page breaks, each with its first element."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


def draw_charts(page: Page) -> None:
    """Scroll through the page, and wait until its charts and their legends are there."""
    for chart in page.locator(".chart").all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator(".main-svg").first).to_be_visible(timeout=PATIENT)
        expect(chart.locator(".plot")).to_have_attribute("aria-busy", "false", timeout=PATIENT)


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_in_charts(open_tab: OpenTab, dark: bool) -> None:
    tab = open_tab("/packages/flask?python_minor.only=3.12", dark=dark)
    draw_charts(tab.page)
    assert tab.page.locator(".keys [aria-pressed=false]").count() == 1

    assert violations(tab.page) == []


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(open_tab: OpenTab, dark: bool) -> None:
    tab = open_tab("/", dark=dark)
    found = {}
    for path in (*PAGES, *ERRORS):
        tab.page.goto(path)
        found[path] = violations(tab.page)
    tab.errors[:] = [error for error in tab.errors if "the server responded with" not in error]

    assert {path: rules for path, rules in found.items() if rules} == {}


def test_axe_finds_nothing_in_suggestions(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    tab.page.get_by_role("combobox").press_sequentially("fla")
    expect(tab.page.get_by_role("option")).to_have_count(2)
    tab.page.get_by_role("combobox").press("ArrowDown")

    assert violations(tab.page) == []


def test_axe_finds_nothing_in_the_theme_that_is_switched_to_on_a_phone(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask", width=360)
    tab.page.get_by_role("button", name="Switch to the dark theme").click()

    for path in ("/packages/flask", "/", "/api", "/compare?packages=flask,flask-caching"):
        tab.page.goto(path)
        assert tab.page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert violations(tab.page) == []


def test_the_keyboard_alone_reaches_everything(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")
    draw_charts(tab.page)
    # Of radio buttons, the arrow keys reach the others than the chosen one.
    wanted = tab.page.evaluate(
        """() => {
            const stops = "a[href], button, input:not([type=radio]:not(:checked)), summary,"
                + " [tabindex='0']";
            return [...document.querySelectorAll(stops)]
                .filter((element) => element.checkVisibility() && element.tabIndex >= 0).length;
        }"""
    )
    for _ in range(wanted + 5):
        tab.page.keyboard.press("Tab")
        element, shown = tab.page.evaluate(
            """() => {
                const element = document.activeElement;
                const box = element.getBoundingClientRect();
                const style = getComputedStyle(element);
                const seen = box.width > 0 && style.outlineStyle !== "none";
                element.dataset.reached = "";
                return [element.outerHTML.slice(0, 200), seen || element === document.body];
            }"""
        )
        assert shown, f"{element} has focus and does not show it"

    reached = tab.page.locator("[data-reached]:not(body)").count()
    assert reached == wanted


def test_the_first_tab_skips_to_the_content(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")

    tab.page.keyboard.press("Tab")
    expect(tab.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")

    assert tab.page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("width", [320, 360, 768, 2560])
def test_no_page_is_wider_than_the_window(open_tab: OpenTab, width: int) -> None:
    tab = open_tab("/", width=width)
    for path in PAGES:
        tab.page.goto(path)
        tab.page.locator("details").evaluate_all("all => all.forEach((each) => (each.open = true))")
        overflow = tab.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, path
