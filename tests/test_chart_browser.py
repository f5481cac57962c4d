"""The charts on a package's page, used as a visitor would, with what is drawn held to the API."""

import datetime as dt
import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Locator, expect

from pypistats import ingest, pypi_store
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.fixtures_browser import OpenTab, Tab
from tests.site import emptied, served

AGO = (0, 1, 40, 100)
"""How many days before the last the loaded ones are, so that each range has other days."""

DIMENSIONS = ("overall", "python_major", "python_minor", "system", "installer", "version")
PATIENT = 30_000
"""Milliseconds: the machine may have much else to do."""

Drawn = list[tuple[str, list[float | None]]]


@pytest.fixture(scope="module")
def server_url(session_app: Flask) -> Iterator[str]:
    """Serve four days of flask to all tests of the module."""
    with emptied(session_app):
        for ago in AGO:
            load(session_app, ago)
        with session_app.app_context():
            known = pypi_store.NOTHING._replace(
                releases={"1.0": DAY - dt.timedelta(days=99), "2.0": DAY}
            )
            pypi_store.save_info("flask", known)
            db.session.commit()
        with served(session_app) as url:
            yield url


def load(app: Flask, ago: int) -> None:
    day = DAY - dt.timedelta(days=ago)
    row = package_day(
        "flask",
        day,
        python_minor={"3.9": 1_000 - ago, "3.12": 5_000 + 10 * ago, "null": 7},
        system={"Linux": 4_000 + 9 * ago, "Windows": 2_000, "other": 7},
        installer={"pip": 6_000, "<b>uv</b>": 14},
        mirrored=70,
    )
    with app.app_context():
        ingest.ingest_day(day, FixedSource(row))


class ChartOnPage:
    """One chart of a page, and the same from the API."""

    def __init__(self, tab: Tab, dimension: str) -> None:
        self.page = tab.page
        self.api = f"http://{tab.host}/api/packages/flask/chart/{dimension}"
        self.dimension = dimension
        self.box = tab.page.locator(f"[data-dimension={dimension}]")
        self.plot = self.box.locator(".plot")
        self.box.scroll_into_view_if_needed()
        self.wait()

    def wait(self) -> None:
        expect(self.plot.locator(".main-svg").first).to_be_visible(timeout=PATIENT)
        expect(self.plot).to_have_attribute("aria-busy", "false", timeout=PATIENT)
        expect(self.box.locator(".plot-message")).to_be_empty()

    def drawn(self) -> Drawn:
        return series(self.plot.evaluate("plot => plot.data"))

    def layout(self) -> Any:
        return self.plot.evaluate(
            "({ _fullLayout: { xaxis, yaxis, barmode, width } }) =>"
            " ({ range: yaxis.range, type: yaxis.type, barmode, width })"
        )

    def asked(self, **query: str) -> Drawn:
        """Return what the API draws for these parameters."""
        return series(fetch(self.api, format="plotly", **query)["data"])

    def choose(self, role: Any, name: str) -> None:
        self.box.get_by_role(role, name=name, exact=True).click()
        self.wait()


def series(traces: list[Any]) -> Drawn:
    """Return the names and values of what is counted: no area below a line, and no releases."""
    counted = [each for each in traces if each.get("mode") != "none" and "yaxis" not in each]
    return [(each["name"], each["y"]) for each in counted]


def fetch(address: str, **query: str) -> Any:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    with urllib.request.urlopen(f"{address}?{words}", timeout=30) as answer:
        return json.load(answer)


def query(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


LOOKS = [
    pytest.param({}, id="light"),
    pytest.param({"dark": True}, id="dark"),
    pytest.param({"width": 390}, id="narrow"),
]


@pytest.mark.parametrize("look", LOOKS)
def test_every_chart_draws_what_the_api_answers(open_tab: OpenTab, look: dict[str, Any]) -> None:
    tab = open_tab("/packages/flask", **look)
    assert tab.page.locator(".chart").count() == len(DIMENSIONS)

    for dimension in DIMENSIONS:
        chart = ChartOnPage(tab, dimension)
        data = fetch(chart.api, format="json")["datasets"]
        assert [values for _, values in chart.drawn()] == [each["data"] for each in data]
        colors = chart.plot.evaluate("plot => plot.data.find(({ line }) => line).line.color")
        theme = "dark" if look.get("dark") else "light"
        figure = fetch(chart.api, format="plotly", theme=theme)
        lines = [each["line"]["color"] for each in figure["data"] if "line" in each]
        assert colors == lines[0]

    width = tab.page.evaluate("document.documentElement.scrollWidth")
    assert width <= look.get("width", 1280)


@pytest.mark.parametrize("look", LOOKS)
def test_every_control_changes_the_chart_and_the_address(
    open_tab: OpenTab, server_url: str, look: dict[str, Any]
) -> None:
    tab = open_tab("/packages/flask#system", **look)
    chart = ChartOnPage(tab, "system")

    for days in ("30", "90", "180"):
        chart.choose("radio", f"{days} d")
        assert chart.drawn() == chart.asked(days=days)
        assert query(tab.page.url) == {"system": [days]}
    chart.choose("radio", "All")
    chart.choose("radio", "Bars")
    assert chart.drawn() == chart.asked(chart="bar")
    assert chart.layout()["barmode"] == "stack"
    chart.choose("radio", "Shares")
    assert chart.drawn() == chart.asked(chart="bar", share="1")
    chart.choose("checkbox", "7-day mean")
    assert chart.drawn() == chart.asked(chart="bar", share="1", smooth="7")
    chart.choose("checkbox", "Log scale")
    assert chart.layout()["type"] == "log"
    assert query(tab.page.url) == {"system": ["share-mean-log"]}

    link = chart.box.get_by_role("link", name="CSV").get_attribute("href")
    assert query(link) == {"chart": ["bar"], "share": ["1"], "smooth": ["7"], "format": ["csv"]}
    chart.choose("radio", "Lines")
    chart.choose("checkbox", "7-day mean")
    assert ticks(chart) == ["10", "100", "1K"]
    chart.choose("checkbox", "Log scale")
    assert ticks(chart) == ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]
    assert chart.layout()["type"] == "linear"
    assert chart.drawn() == chart.asked()
    assert tab.page.url == f"{server_url}/packages/flask#system"


def ticks(chart: ChartOnPage) -> list[str]:
    return [text.strip() for text in chart.plot.locator(".ytick").all_text_contents()]


def test_the_legend_hides_categories_and_the_axis_follows(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")
    chart = ChartOnPage(tab, "python_minor")
    top = chart.layout()["range"][1]

    legend(chart, "3.12").click()
    tab.page.wait_for_url("**/flask?python_minor.hide=3.12", timeout=PATIENT)
    chart.wait()
    expect(legend(chart, "3.12")).to_have_attribute("aria-pressed", "false")
    expect(legend(chart, "3.12")).to_be_focused()
    assert chart.layout()["range"][1] < top / 2

    tab.page.keyboard.press("Space")
    tab.page.wait_for_url("**/flask", timeout=PATIENT)
    chart.wait()
    expect(legend(chart, "3.12")).to_have_attribute("aria-pressed", "true")
    assert chart.layout()["range"][1] == top


def test_a_category_is_left_alone_by_pointer_or_keyboard(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")
    chart = ChartOnPage(tab, "python_minor")

    legend(chart, "3.9").focus()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/flask?python_minor.only=3.9", timeout=PATIENT)
    chart.wait()
    assert ticks(chart) == ["0", "200", "400", "600", "800", "1,000"]
    assert chart.layout()["range"] == [0, 1_000]

    legend(chart, "3.12").click()
    tab.page.wait_for_url("**/flask?python_minor.hide=unknown+%28null%29", timeout=PATIENT)
    chart.wait()
    only = chart.box.get_by_role("button", name="Only 3.9")
    expect(only).to_have_css("opacity", "0")
    legend(chart, "3.9").hover()
    expect(only).to_have_css("opacity", "1")
    only.click()
    tab.page.wait_for_url("**/flask?python_minor.only=3.9", timeout=PATIENT)
    chart.wait()
    chart.box.get_by_role("button", name="Show all").click()
    tab.page.wait_for_url("**/flask", timeout=PATIENT)
    chart.wait()


def legend(chart: ChartOnPage, name: str) -> Locator:
    return chart.box.locator(".keys").get_by_role("button", name=name, exact=True)


def test_a_printed_chart_has_its_legend_below_it(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask")
    chart = ChartOnPage(tab, "system")
    tab.page.emulate_media(media="print")

    name = legend(chart, "Windows").bounding_box()
    drawn = chart.plot.locator(".main-svg").first.bounding_box()

    assert name is not None
    assert drawn is not None
    assert drawn["y"] + drawn["height"] <= name["y"] + 1
    expect(chart.box.get_by_role("button", name="Only Windows")).not_to_be_visible()


def test_names_are_written_as_they_are(open_tab: OpenTab) -> None:
    chart = ChartOnPage(open_tab("/packages/flask"), "installer")

    shown = chart.box.locator(".keys [aria-pressed]").all_text_contents()
    assert shown == ["pip", "<b>uv</b>"]


def test_the_pointer_shows_all_categories_of_a_day(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask?installer=30")
    chart = ChartOnPage(tab, "installer")
    area = chart.plot.locator(".nsewdrag").bounding_box()
    assert area is not None

    tab.page.mouse.move(area["x"] + area["width"] - 2, area["y"] + area["height"] / 2)

    shown = chart.plot.locator(".hoverlayer .legend")
    expect(shown).to_contain_text("Sun 15 Mar 2026", timeout=PATIENT)
    expect(shown).to_contain_text("pip : 6,000")
    expect(shown).to_contain_text("<b>uv</b> : 14")


def test_a_release_is_marked_and_named_by_the_pointer(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask?overall=30", width=390)
    chart = ChartOnPage(tab, "overall")
    area = chart.plot.locator(".nsewdrag").bounding_box()
    assert area is not None

    expect(chart.plot.locator(".textpoint").filter(has_text="2.0")).to_have_count(1)
    shown = chart.plot.locator(".hoverlayer .legend")
    tab.page.mouse.move(area["x"] + area["width"] - 2, area["y"] + area["height"] / 2)
    expect(shown).to_contain_text("2.0 released 15 Mar 2026", timeout=PATIENT)

    legend(chart, "Releases").click()
    tab.page.wait_for_url("**/flask?overall=30&overall.hide=Releases", timeout=PATIENT)
    chart.wait()
    expect(chart.plot.locator(".textpoint")).to_have_count(0)


def test_a_shared_address_shows_the_same_view(open_tab: OpenTab, server_url: str) -> None:
    address = f"{server_url}/packages/flask?system=bar-90-mean&system.hide=Windows&releases=major"
    tab = open_tab(address)
    chart = ChartOnPage(tab, "system")

    assert chart.drawn() == chart.asked(chart="bar", days="90", smooth="7")
    assert chart.plot.evaluate("plot => plot.data.map(({ visible }) => visible)") == [
        True,
        "legendonly",
        True,
    ]
    assert chart.box.get_by_role("radio", name="90 d").is_checked()
    assert chart.box.get_by_role("checkbox", name="7-day mean").is_checked()
    chart.choose("radio", "30 d")
    assert query(tab.page.url) == {
        "releases": ["major"],
        "system": ["bar-30-mean"],
        "system.hide": ["Windows"],
    }


@pytest.fixture
def asked_tab(open_tab: OpenTab) -> tuple[Tab, list[str]]:
    """Open a page, and note what it asks for from then on."""
    tab = open_tab("/about")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.goto("/packages/flask")
    return tab, asked


def test_a_chart_is_drawn_when_it_comes_near_and_fetched_once(
    asked_tab: tuple[Tab, list[str]],
) -> None:
    tab, asked = asked_tab
    ChartOnPage(tab, "overall")
    assert not [address for address in asked if "/chart/version" in address]

    chart = ChartOnPage(tab, "version")
    for name in ("Bars", "Lines", "Bars", "Lines"):
        chart.choose("radio", name)
    switch = tab.page.locator("[data-theme-switch]")
    for _ in range(2):
        switch.click()
        chart.wait()

    figures = [address for address in asked if "/chart/" in address]
    assert sum("/chart/version" in address for address in figures) == 3
    assert len(set(figures)) == len(figures)
    assert sum("plotly" in urlsplit(address).path for address in asked) == 1


def test_what_is_embedded_is_the_chart_that_is_shown(open_tab: OpenTab, server_url: str) -> None:
    tab = open_tab("/packages/flask?overall=bar-90")
    chart = ChartOnPage(tab, "overall")
    chart.box.get_by_text("Put this chart into a README").click()

    html = chart.box.locator("#overall-HTML").text_content()
    assert html is not None
    assert f'srcset="{chart.api}?chart=bar&days=90&theme=dark"' in html
    assert f'src="{chart.api}?chart=bar&days=90"' in html
    chart.choose("radio", "Lines")
    markdown = chart.box.locator("#overall-Markdown").text_content()
    assert markdown == (
        f"[![Downloads of flask with and without mirrors]({chart.api}?days=90)]"
        f"({server_url}/packages/flask#overall)"
    )


def test_a_chart_that_can_not_be_had_says_so_and_comes_back(open_tab: OpenTab) -> None:
    tab = open_tab("/about")
    refused = {"error": {"message": "Ask again soon."}}
    tab.page.route("**/chart/**", lambda route: route.fulfill(status=503, json=refused))
    tab.page.goto("/packages/flask")
    box = tab.page.locator("[data-dimension=overall]")
    expect(box.locator(".plot-message")).to_have_text(
        "The chart can't be drawn now. Ask again soon.", timeout=PATIENT
    )
    tab.page.unroute("**/chart/**")

    box.get_by_role("radio", name="Bars").click()

    chart = ChartOnPage(tab, "overall")
    assert chart.drawn() == chart.asked(chart="bar")
    assert all("503" in error for error in tab.errors)
    tab.errors.clear()


@pytest.mark.parametrize(
    ("look", "query", "size"),
    [
        pytest.param({}, "", (1200, 600), id="wide and light"),
        pytest.param({"dark": True}, "&theme=dark", (1200, 600), id="wide and dark"),
        pytest.param({"width": 390}, "&width=400&height=400", (400, 400), id="narrow"),
        pytest.param(
            {"width": 390, "dark": True},
            "&width=400&height=400&theme=dark",
            (400, 400),
            id="narrow and dark",
        ),
    ],
)
def test_without_script_there_are_pictures(
    open_tab: OpenTab,
    server_url: str,
    look: dict[str, Any],
    query: str,
    size: tuple[int, int],
) -> None:
    tab = open_tab("/packages/flask?releases=major", script=False, **look)

    for dimension in ("overall", "version"):
        picture = tab.page.locator(f"[data-dimension={dimension}] img")
        reserved = picture.bounding_box()
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True, timeout=PATIENT)
        grouped = "releases=major&" if dimension == "version" else ""
        address = f"/api/packages/flask/chart/{dimension}?{grouped}format=svg{query}"
        assert picture.evaluate("img => [img.naturalWidth, img.naturalHeight]") == list(size)
        assert picture.evaluate("img => img.currentSrc") == server_url + address
        assert reserved is not None
        assert reserved["height"] == pytest.approx(reserved["width"] * size[1] / size[0], abs=1)


def test_without_script_there_are_tables_and_downloads(open_tab: OpenTab) -> None:
    tab = open_tab("/packages/flask", script=False)
    box = tab.page.locator("[data-dimension=system]")

    expect(box.locator("form")).to_be_hidden()
    expect(box.locator(".plot")).to_be_hidden()
    expect(tab.page.locator("section[aria-labelledby=system] table")).to_be_visible()
    assert box.get_by_role("link", name="PNG").get_attribute("href") == (
        "/api/packages/flask/chart/system?format=png"
    )
