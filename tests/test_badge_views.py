"""Badges as they are asked for."""

import datetime as dt
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pypistats import badges, ingest
from pypistats.badges import Badge, Style
from tests.fixed_source import DAY, FixedSource, package_day

WEEK_AGO = DAY - dt.timedelta(days=7)
COLORS = "a colour of CSS or shields.io by its name, or three or six hex digits"
YEAR_AGO = DAY - dt.timedelta(days=365)


@pytest.fixture(autouse=True)
def three_days(app: Flask) -> None:
    """Load three days of a package, on one of which mirrors took it too."""
    with app.app_context():
        ingest.ingest_day(
            YEAR_AGO, FixedSource(package_day("zope-interface", YEAR_AGO, downloads=7_000_000))
        )
        ingest.ingest_day(
            WEEK_AGO, FixedSource(package_day("zope-interface", WEEK_AGO, downloads=300_000))
        )
        ingest.ingest_day(
            DAY, FixedSource(package_day("zope-interface", downloads=950, mirrored=9))
        )


def badge(client: FlaskClient, path: str, status: int = 200) -> str:
    response = client.get(f"/badge/{path}")
    assert response.status_code == status
    assert response.mimetype == "image/svg+xml"
    return response.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Badge("downloads", "301k/month", "brightgreen")),
        ("?period=month", Badge("downloads", "301k/month", "brightgreen")),
        ("?period=week", Badge("downloads", "950/week", "green")),
        ("?period=day", Badge("downloads", "950/day", "green")),
        ("?period=total", Badge("downloads", "7.3M", "brightgreen")),
        ("?period=Total&units=none", Badge("downloads", "7,300,950", "brightgreen")),
        ("?units=international_system", Badge("downloads", "301k/month", "brightgreen")),
        ("?label=used&color=blue", Badge("used", "301k/month", "blue")),
        ("?left_text=used&right_color=blue", Badge("used", "301k/month", "blue")),
        ("?label=", Badge("", "301k/month", "brightgreen")),
        ("?label=%3Cb%3E%26%00", Badge("<b>&\0", "301k/month", "brightgreen")),
        ("?label=👨\u200d👩", Badge("👨\u200d👩", "301k/month", "brightgreen")),
        ("?left_color=black", Badge("downloads", "301k/month", "brightgreen", "black")),
        ("?labelColor=%23FFF", Badge("downloads", "301k/month", "brightgreen", "#fff")),
        ("?style=social", Badge("downloads", "301k/month", "brightgreen", style=Style.SOCIAL)),
        ("?logo=python&cacheSeconds=9", Badge("downloads", "301k/month", "brightgreen")),
    ],
)  # fmt: skip
def test_a_badge_shows_what_is_asked_for(client: FlaskClient, query: str, expected: Badge) -> None:
    assert badge(client, f"zope-interface.svg{query}") == badges.svg(expected)

    document = client.get(f"/api/packages/zope-interface/badge.json{query}")
    assert (document.status_code, document.json) == (200, badges.endpoint_document(expected))


@pytest.mark.parametrize("name", ["Zope.Interface", "zope_interface", "ZOPE-interface"])
def test_any_spelling_works_in_place(client: FlaskClient, name: str) -> None:
    assert badge(client, f"{name}.svg") == badge(client, "zope-interface.svg")


def test_all_packages_have_a_badge(client: FlaskClient) -> None:
    assert "301k/month" in badge(client, "__all__.svg")


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("name", ["unknown", "a%00b", "%3Csvg%3E", "x" * 4_000])
def test_an_unknown_package_has_a_grey_badge(client: FlaskClient, name: str, style: Style) -> None:
    drawn = badge(client, f"{name}.svg?style={style.upper()}", 404)

    title = ElementTree.fromstring(drawn).get("aria-label") or ""
    assert title.startswith("There is no package named ")
    assert drawn == badges.svg(Badge("downloads", "not found", style=style, title=title))


@pytest.mark.parametrize(
    ("query", "parameter", "accepts"),
    [
        ("period=year", "period", "one of day, week, month, total"),
        ("style=round", "style", "one of flat, flat-square, plastic, for-the-badge, social"),
        ("units=metric", "units", "one of international_system, abbreviation, none"),
        (f"label={'x' * 65}", "label", "up to 64 characters"),
        (f"left_text={'x' * 65}", "left_text", "up to 64 characters"),
        *(
            (f"{name}=url(x)", name, COLORS)
            for name in ("color", "right_color", "left_color", "labelColor")
        ),
    ],
)  # fmt: skip
def test_a_value_that_can_not_be_is_named_in_the_badge(
    client: FlaskClient, query: str, parameter: str, accepts: str
) -> None:
    document = client.get(f"/api/packages/zope-interface/badge.json?{query}")

    assert badge(client, f"zope-interface.svg?{query}", 400) == badges.svg(
        Badge("downloads", f"invalid {parameter}", title=f"{parameter} takes {accepts}.")
    )
    assert document.status_code == 400
    assert document.json["error"]["parameter"] == parameter


def test_the_document_of_an_unknown_package_is_the_apis_error(client: FlaskClient) -> None:
    response = client.get("/api/packages/unknown/badge.json")

    assert response.status_code == 404
    assert response.json["error"]["name"] == "Not Found"


def test_a_package_without_downloads_has_a_badge(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("mirrored", downloads=0, mirrored=5)))

    for period, message in (("day", "0/day"), ("total", "0")):
        assert badge(client, f"mirrored.svg?period={period}") == badges.svg(
            Badge("downloads", message, "red")
        )
