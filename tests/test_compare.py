"""Comparisons as they are asked for."""

import datetime as dt
from typing import Any

import pytest
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
    assert compare(client, "packages=Zope.Interface,flask,nothing,Flask,a%25b") == {
        "type": "compare",
        "mode": "absolute",
        "mirrors": False,
        "smooth": 1,
        "days": DAYS,
        "data": [
            {"package": "zope-interface", "values": [0, None, 10]},
            {"package": "flask", "values": [20, None, 30]},
        ],
        "unknown": ["nothing", "a%b"],
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
