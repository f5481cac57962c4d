"""The frame of the pages in a browser: theme, tables, tabs, copying, and what the policy stops."""

import pytest
from flask import Flask
from playwright.sync_api import Route, expect

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab, Tab

PATHS = (
    "/",
    "/packages/flask",
    "/search?q=fla",
    "/top",
    "/compare?packages=flask,flask-caching",
    "/api",
    "/faqs",
    "/about",
)


@pytest.fixture(autouse=True)
def packages(app: Flask) -> None:
    with app.app_context():
        source = FixedSource(
            package_day("flask", python_minor={"3.9": 20, "3.12": 30, "null": 4}, mirrored=7),
            package_day("flask-caching"),
        )
        ingest.ingest_day(DAY, source)


def background(tab: Tab) -> str:
    color: str = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return color


LIGHT, DARK = "rgb(255, 255, 255)", "rgb(16, 21, 27)"


def test_the_theme_follows_the_system(open_tab: OpenTab) -> None:
    assert background(open_tab("/")) == LIGHT
    assert background(open_tab("/", dark=True)) == DARK
    assert background(open_tab("/", dark=True, script=False)) == DARK


def test_a_theme_that_was_chosen_is_remembered_without_a_cookie(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    tab.page.get_by_role("button", name="Switch to the dark theme").click()
    assert background(tab) == DARK

    tab.page.goto("/about")

    assert background(tab) == DARK
    assert tab.page.context.cookies() == []
    tab.page.get_by_role("button", name="Switch to the light theme").click()
    assert background(tab) == LIGHT
    assert tab.page.evaluate("localStorage.length") == 0


def test_no_content_is_painted_before_the_chosen_theme_is_set(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    tab.page.get_by_role("button", name="Switch to the dark theme").click()
    tab.page.context.add_init_script(
        """
        new PerformanceObserver((list) => {
            if (list.getEntriesByName("first-contentful-paint").length) {
                window.painted = document.documentElement.dataset.theme;
            }
        }).observe({ type: "paint", buffered: true });
        """
    )
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)

    tab.page.context.route("**/theme.*.js", hold)

    tab.page.goto("/about", wait_until="commit")
    tab.page.wait_for_function("() => document.querySelector('script[src*=theme]') !== null")
    expect(tab.page.locator("main")).to_have_count(0)
    assert tab.page.evaluate("window.painted") is None
    asked[0].continue_()
    tab.page.wait_for_function("() => window.painted !== undefined")

    assert tab.page.evaluate("window.painted") == "dark"


def test_only_the_stylesheet_blocks_rendering(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    for path in PATHS:
        tab.page.goto(path)
        blocking = tab.page.evaluate(
            """performance.getEntriesByType("resource")
                .filter((entry) => entry.renderBlockingStatus === "blocking")
                .map((entry) => new URL(entry.name).pathname)"""
        )
        assert [name.split(".")[0] for name in blocking] == ["/static/site"], path


@pytest.mark.parametrize("script", [True, False])
def test_the_policy_stops_nothing_that_the_pages_need(open_tab: OpenTab, script: bool) -> None:
    tab = open_tab("/", script=script)
    for path in PATHS:
        tab.page.goto(path, wait_until="networkidle")

    assert tab.errors == []


def test_the_policy_stops_what_is_inline(open_tab: OpenTab) -> None:
    tab = open_tab("/")

    tab.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            document.body.setAttribute("style", "color: red");
        }"""
    )

    assert tab.page.evaluate("window.ran") is None
    assert len([error for error in tab.errors if "Content Security Policy" in error]) == 2
    tab.errors.clear()


def column(tab: Tab, number: int) -> list[str]:
    cells = tab.page.locator(
        f"section[aria-labelledby=python_minor] tbody tr > :nth-child({number})"
    )
    return cells.all_inner_texts()


def test_a_heading_sorts_its_table(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")
    heading = tab.page.locator("section[aria-labelledby=python_minor] thead th").first
    assert column(tab, 1) == ["3.12", "3.9", "unknown (null)"]

    heading.get_by_role("button").click()
    assert column(tab, 1) == ["3.9", "3.12", "unknown (null)"]
    expect(heading).to_have_attribute("aria-sort", "ascending")
    heading.get_by_role("button").click()
    assert column(tab, 1) == ["unknown (null)", "3.12", "3.9"]

    share = tab.page.locator("section[aria-labelledby=python_minor]").get_by_role(
        "button", name="Share"
    )
    share.click()
    assert column(tab, 6) == ["55.6 %", "37.0 %", "7.4 %"]
    expect(heading).not_to_have_attribute("aria-sort", "descending")


def test_tabs_show_one_snippet_at_a_time_and_obey_arrow_keys(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")
    tabs = tab.page.get_by_role("tablist", name="Badge as").get_by_role("tab")
    panel = tab.page.get_by_role("tabpanel")
    expect(panel).to_have_count(1)
    expect(panel.locator("code")).to_contain_text("[![Downloads]")

    tabs.nth(0).focus()
    tab.page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    expect(panel.locator("code")).to_contain_text("<a href=")
    tab.page.keyboard.press("End")
    expect(panel.locator("code")).to_contain_text(".. image::")
    tab.page.keyboard.press("ArrowRight")
    expect(tabs.nth(0)).to_have_attribute("aria-selected", "true")


def test_without_script_all_snippets_are_there_and_no_dead_buttons(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask", script=False)

    expect(tab.page.locator("[aria-labelledby=badge] [data-tabs] pre")).to_have_count(3)
    for snippet in tab.page.locator("[aria-labelledby=badge] [data-tabs] pre").all():
        expect(snippet).to_be_visible()
    expect(tab.page.get_by_role("button", name="Copy")).to_have_count(0)
    expect(tab.page.locator("[data-theme-switch]")).not_to_be_visible()


def test_a_snippet_is_copied(open_tab: OpenTab, server_url: str) -> None:
    tab = open_tab("/packages/flask")
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    button = tab.page.get_by_role("tabpanel").get_by_role("button", name="Copy")
    button.click()

    expect(tab.page.get_by_role("tabpanel").get_by_role("button", name="Copied")).to_be_visible()
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == (f"[![Downloads]({server_url}/badge/flask.svg)]({server_url}/packages/flask)")


def test_an_endpoint_can_be_tried(open_tab: OpenTab) -> None:
    tab = open_tab("/api")
    form = tab.page.get_by_role("form", name="Try /api/packages/{package}/recent")
    form.get_by_label("package").fill("Flask")
    form.get_by_label("period").select_option("week")
    expect(form.get_by_role("link", name="Open")).to_have_attribute(
        "href", "/api/packages/Flask/recent?period=week"
    )

    form.get_by_role("button", name="Try it").click()

    expect(form.get_by_role("status")).to_contain_text("200 OK")
    expect(form.get_by_role("status").locator("pre")).to_contain_text('"last_week": 54')
    form.get_by_label("package").fill("unheard-of")
    form.get_by_role("button", name="Try it").click()
    expect(form.get_by_role("status")).to_contain_text("404 Not Found")
    tab.errors.clear()


def test_a_page_prints_without_its_controls(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask", dark=True)
    tab.page.emulate_media(media="print")

    expect(tab.page.get_by_role("search")).not_to_be_visible()
    expect(tab.page.locator(".compare-with")).not_to_be_visible()
    expect(tab.page.locator("[data-theme-switch]")).not_to_be_visible()
    expect(tab.page.locator("h1")).to_be_visible()
    assert background(tab) == LIGHT


def test_nothing_moves_for_who_asks_for_that(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    duration = "getComputedStyle(document.querySelector('.theme')).transitionDuration"
    assert tab.page.evaluate(duration) != "0s"

    tab.page.emulate_media(reduced_motion="reduce")

    assert tab.page.evaluate(duration) == "0s"


def test_a_series_is_downloaded_as_csv(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask", script=False)

    with tab.page.expect_download() as download:
        data = tab.page.locator("section[aria-labelledby=data]")
        data.get_by_role("link", name="python minor", exact=True).click()

    assert download.value.suggested_filename == "flask-python_minor.csv"
    lines = download.value.path().read_text().splitlines()
    assert lines == ["date,3.9,3.12,null", f"{DAY},20,30,4"]


@pytest.mark.parametrize("script", [True, False])
def test_a_name_leads_to_its_page_and_from_there_to_a_comparison(
    open_tab: OpenTab, script: bool
) -> None:
    tab = open_tab("/", script=script)
    expect(tab.page.get_by_label("Package name")).to_be_focused()
    tab.page.get_by_label("Package name").fill("Flask")
    tab.page.get_by_role("button", name="Search").click()
    expect(tab.page).to_have_url("/packages/flask")

    tab.page.get_by_label("Compare with").fill("flask-caching")
    tab.page.get_by_role("button", name="Compare", exact=True).click()

    expect(tab.page.get_by_role("heading", level=1)).to_have_text("flask, flask-caching")


@pytest.mark.parametrize("width", [360, 412, 640, 1280])
def test_large_counts_stay_in_one_line(app: Flask, open_tab: OpenTab, width: int) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=100_000_000_000)))

    tab = open_tab("/packages/__all__", width=width)

    lines = tab.page.locator(".recent dd:first-of-type data").evaluate_all(
        "counts => counts.map((count) => count.getClientRects().length)"
    )
    assert lines == [1, 1, 1, 1]
