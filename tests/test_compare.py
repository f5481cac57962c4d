"""Comparisons as they are asked for."""

import datetime as dt
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day
from tests.statements import counted

FIRST = DAY - dt.timedelta(days=2)
DAYS = [(DAY - dt.timedelta(days=ago)).isoformat() for ago in (2, 1, 0)]


@pytest.fixture(autouse=True)
def two_days_of_three(app: Flask) -> None:
    """Load the first and the last of three days."""
    with app.app_context():
        ingest.ingest_day(FIRST, FixedSource(package_day("flask", FIRST, downloads=20)))
        ingest.ingest_day(
            DAY,
            FixedSource(
                package_day("flask", downloads=30, mirrored=6),
                package_day("zope-interface", downloads=10),
            ),
        )


def compare(client: FlaskClient, query: str, status: int = 200) -> Any:
    response = client.get(f"/api/compare?{query}")
    assert response.status_code == status, response.text
    return response.json


def test_packages_are_one_document_in_the_order_asked(client: FlaskClient) -> None:
    assert compare(client, "packages=Zope.Interface,flask,Nothing,Flask,A%25b") == {
        "type": "compare",
        "mode": "absolute",
        "mirrors": False,
        "smooth": 1,
        "days": DAYS,
        "data": [
            {"package": "zope-interface", "values": [0, None, 10]},
            {"package": "flask", "values": [20, None, 30]},
        ],
        "unknown": ["nothing", "A%b"],
    }


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("mode=share", [[100, None, 75], [0, None, 25]]),
        ("mode=Indexed", [[100, None, 150], [0, None, 100]]),
        ("smooth=3", [[20, None, 25], [0, None, 5]]),
        ("mirrors=true", [[20, None, 36], [0, None, 10]]),
        (f"since={DAY}", [[30], [10]]),
        (f"until={FIRST}", [[20], [0]]),
        ("days=30&share=1&chart=bar", [[20, None, 30], [0, None, 10]]),
    ],
)
def test_a_comparison_has_modes_means_and_days(
    client: FlaskClient, query: str, values: list[Any]
) -> None:
    data = compare(client, f"packages=flask,zope-interface&{query}")["data"]

    assert [each["values"] for each in data] == values


def test_a_repeated_parameter_is_as_good_as_commas(client: FlaskClient) -> None:
    assert compare(client, "packages=flask&packages=&packages=zope-interface") == compare(
        client, "packages=flask,zope-interface"
    )


def test_the_same_is_a_table(client: FlaskClient) -> None:
    response = client.get("/api/compare?packages=flask,zope-interface&format=csv")

    assert response.mimetype == "text/csv"
    assert response.text == (
        f"date,flask,zope-interface\n{DAYS[0]},20,0\n{DAYS[1]},,\n{DAYS[2]},30,10\n"
    )


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("absolute", "Daily downloads, without mirrors"),
        ("share", "Share of the downloads of these packages, without mirrors"),
        ("indexed", "Daily downloads, the first day as 100, without mirrors"),
    ],
)
def test_the_same_is_a_figure(client: FlaskClient, mode: str, shown: str) -> None:
    figure = compare(client, f"packages=flask,zope-interface&format=plotly&mode={mode}")

    assert [trace["name"] for trace in figure["data"]] == ["flask", "zope-interface"]
    assert len({trace["line"]["color"] for trace in figure["data"]}) == 2
    assert "flask, zope-interface" in figure["layout"]["title"]["text"]
    assert shown in figure["layout"]["title"]["text"]


def test_the_same_is_a_picture(client: FlaskClient) -> None:
    response = client.get(
        "/api/compare?packages=flask,zope-interface&format=png&width=300&height=200"
    )

    assert (response.status_code, response.mimetype) == (200, "image/png")
    assert response.data.startswith(b"\x89PNG")


def test_of_packages_that_are_not_known_there_is_nothing(client: FlaskClient) -> None:
    document = compare(client, "packages=nothing")

    assert (document["data"], document["unknown"]) == ([], ["nothing"])
    assert compare(client, "packages=nothing&format=plotly")["data"] == []


def test_ten_packages_take_as_many_statements_as_one(app: Flask, client: FlaskClient) -> None:
    compare(client, "packages=flask")
    with counted(app) as one:
        compare(client, "packages=flask&smooth=2")
    with counted(app) as ten:
        compare(client, f"packages={','.join(f'p{n}' for n in range(9))},flask&smooth=2")

    assert len(ten) == len(one) <= 3


@pytest.mark.parametrize(
    ("query", "parameter", "accepts"),
    [
        ("", "packages", "1 to 10 names with commas between"),
        ("packages=,", "packages", "1 to 10 names with commas between"),
        (f"packages={','.join('abcdefghijk')}", "packages", "1 to 10 names with commas between"),
        ("packages=a&mode=log", "mode", "one of absolute, share, indexed"),
        ("packages=a&format=xml", "format", "one of json, csv, plotly, png, svg"),
        ("packages=a&format=data", "format", "one of json, csv, plotly, png, svg"),
        ("packages=a&smooth=31", "smooth", "a whole number from 1 to 30"),
        ("packages=a&since=2026-02-30", "since", "a day such as 2026-03-01"),
    ],
)
def test_a_value_that_can_not_be_is_refused(
    client: FlaskClient, query: str, parameter: str, accepts: str
) -> None:
    error = compare(client, query, 400)["error"]

    assert (error["parameter"], error["message"]) == (parameter, f"{parameter} takes {accepts}.")


def page(client: FlaskClient, path: str) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return BeautifulSoup(response.text, "html.parser")


def cells(soup: BeautifulSoup) -> list[list[str]]:
    return [
        [" ".join(cell.get_text().split()) for cell in row.find_all(["th", "td"])]
        for row in soup.select("tbody tr")
    ]


def test_the_page_has_a_chart_a_table_and_all_formats(client: FlaskClient) -> None:
    path = "/compare?packages=zope.interface,flask&mode=indexed&days=30&smooth=7"
    soup = page(client, path)

    query = "packages=zope-interface,flask&mode=indexed&days=30&smooth=7"
    links = {link.get_text(): link["href"] for link in soup.select("main a")}
    assert soup.h1.get_text() == "zope-interface, flask"
    assert cells(soup) == [
        ["flask", "50", "25", "83.3 %", "Leave out flask"],
        ["zope-interface", "10", "5", "16.7 %", "Leave out zope-interface"],
    ]
    assert soup.select_one("noscript img")["src"] == f"/api/compare?{query}&format=svg"
    assert soup.find("figure")["data-chart"] == f"/api/compare?{query}"
    assert links["CSV"] == f"/api/compare?format=csv&{query}"
    assert links["Leave out flask"] == f"/compare?{query.replace(',flask', '')}"
    for name in ("JSON", "CSV", "SVG", "flask", "Leave out flask"):
        assert client.get(links[name]).status_code == 200


def test_the_form_has_what_was_asked_for(client: FlaskClient) -> None:
    soup = page(client, "/compare?packages=Flask&packages=nothing&mode=share&smooth=7&days=90")

    chosen = [option["value"] for option in soup.select("option[selected]")]
    assert soup.find("input", {"name": "packages"})["value"] == "flask, nothing"
    assert chosen == ["share", "7", "90"]


def test_the_page_names_what_is_not_known(client: FlaskClient) -> None:
    soup = page(client, "/compare?packages=flask,reqeusts")

    assert "no package named “reqeusts”" in soup.select_one(".notice").get_text()
    assert soup.select_one(".notice a")["href"] == "/search?q=reqeusts"
    assert soup.h1.get_text() == "flask"


@pytest.mark.parametrize("query", ["", "?packages=", "?packages=,+,"])
def test_without_packages_the_page_is_a_form(client: FlaskClient, query: str) -> None:
    soup = page(client, f"/compare{query}")

    assert soup.h1.get_text() == "Compare packages"
    assert soup.find("figure") is None
    assert soup.find("input", {"name": "packages"}).has_attr("autofocus")


def test_without_packages_the_most_downloaded_are_offered(client: FlaskClient) -> None:
    link = page(client, "/compare").find("a", string="flask, zope-interface")

    assert link["href"] == "/compare?packages=flask,zope-interface"
    assert "For example" not in page(client, "/compare?packages=nothing").main.get_text()
