"""Suggestions below the search box, by keyboard, pointer and for a screen reader."""

import pytest
from flask import Flask
from playwright.sync_api import Locator, expect

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab, Tab


@pytest.fixture(autouse=True)
def packages(app: Flask) -> None:
    with app.app_context():
        ingest.ingest_day(
            DAY,
            FixedSource(
                package_day("flask", downloads=1_234),
                package_day("flask-login", downloads=30),
                package_day("requests", downloads=20),
            ),
        )


def field(tab: Tab) -> Locator:
    return tab.page.get_by_role("combobox", name="Package name")


def options(tab: Tab) -> Locator:
    return tab.page.get_by_role("listbox", name="Packages").get_by_role("option")


def test_names_are_suggested_while_one_types(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    expect(field(tab)).to_be_focused()
    expect(field(tab)).to_have_attribute("aria-expanded", "false")

    field(tab).press_sequentially("fla")

    expect(options(tab)).to_have_text(["flask 1.2K", "flask-login 30"])
    expect(field(tab)).to_have_attribute("aria-expanded", "true")
    expect(tab.page.get_by_role("status")).to_have_text("2 packages, use the arrow keys to choose.")


def test_the_keyboard_chooses_and_opens(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    field(tab).press_sequentially("flask")
    expect(options(tab)).to_have_count(2)

    field(tab).press("ArrowUp")
    expect(options(tab).nth(1)).to_have_attribute("aria-selected", "true")
    field(tab).press("ArrowDown")
    expect(field(tab)).not_to_have_attribute("aria-activedescendant", "suggestions-0-1")
    field(tab).press("ArrowDown")
    field(tab).press("ArrowDown")
    expect(options(tab).nth(1)).to_have_attribute("aria-selected", "true")
    expect(field(tab)).to_have_attribute(
        "aria-activedescendant", options(tab).nth(1).get_attribute("id") or "-"
    )
    field(tab).press("Enter")

    tab.page.wait_for_url("/packages/flask-login")


def test_a_click_opens(open_tab: OpenTab) -> None:
    tab = open_tab("/about")
    field(tab).fill("reqeusts")

    options(tab).get_by_text("requests").click()

    tab.page.wait_for_url("/packages/requests")


def test_escape_and_leaving_close_the_list(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    field(tab).press_sequentially("fl")
    expect(options(tab)).to_have_count(2)

    field(tab).press("Escape")
    expect(options(tab)).to_have_count(0)
    expect(field(tab)).to_have_value("fl")

    field(tab).press("ArrowDown")
    expect(options(tab)).to_have_count(2)
    field(tab).press("Tab")
    expect(options(tab)).to_have_count(0)


def test_enter_without_a_choice_searches(open_tab: OpenTab) -> None:
    tab = open_tab("/")
    field(tab).press_sequentially("fla")
    expect(options(tab)).to_have_count(2)

    field(tab).press("Enter")

    tab.page.wait_for_url("/search?q=fla")


def test_what_finds_nothing_says_so(open_tab: OpenTab) -> None:
    tab = open_tab("/")

    field(tab).press_sequentially("zzzzzz")

    expect(tab.page.get_by_role("status")).to_have_text("No package has a name like this.")
    expect(options(tab)).to_have_count(0)


def test_without_script_the_form_searches(open_tab: OpenTab) -> None:
    tab = open_tab("/", script=False)

    tab.page.get_by_label("Package name").fill("fla")
    tab.page.get_by_role("button", name="Search").click()

    expect(tab.page.get_by_role("link", name="flask-login")).to_be_visible()


def test_a_comparison_gets_its_names_one_after_the_other(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")
    names = tab.page.get_by_role("combobox", name="Compare with")

    names.press_sequentially("req")
    tab.page.get_by_role("option", name="requests").click()
    expect(names).to_have_value("requests, ")
    names.press_sequentially("flask-l")
    expect(tab.page.get_by_role("option")).to_have_count(1)
    names.press("ArrowDown")
    names.press("Enter")
    expect(names).to_have_value("requests, flask-login, ")
    names.press("Enter")

    expect(tab.page.get_by_role("heading", level=1)).to_have_text("flask, requests, flask-login")
    expect(tab.page.locator("tbody tr")).to_have_count(3)
