"""Search, as a document and as a page."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day

BEGINNING = "the beginning of a package name: up to 128 letters, digits, '-', '_' and '.'"
DOWNLOADS = {
    "flask": 90,
    "flask-login": 70,
    "flask-caching": 70,
    "flaky": 30,
    "flak": 20,
    "requests": 500,
    "requests-oauthlib": 60,
    "python-dateutil": 40,
    "zope-interface": 10,
}


@pytest.fixture(autouse=True)
def packages(app: Flask) -> None:
    """Load a day of a few packages."""
    with app.app_context():
        ingest.ingest_day(
            DAY,
            FixedSource(*(package_day(name, downloads=n) for name, n in DOWNLOADS.items())),
        )


def search(client: FlaskClient, query: str, status: int = 200) -> Any:
    response = client.get(f"/api/search?{query}")
    assert response.status_code == status, response.text
    return response.json


def found(client: FlaskClient, query: str) -> list[tuple[str, str]]:
    return [(each["package"], each["match"]) for each in search(client, query)["data"]]


def test_names_that_begin_with_it_come_first_and_then_similar_ones(client: FlaskClient) -> None:
    assert search(client, "q=Flask") == {
        "type": "search",
        "query": "flask",
        "page": 1,
        "limit": 20,
        "more": False,
        "data": [
            {"package": "flask", "last_month": 90, "match": "exact"},
            {"package": "flask-caching", "last_month": 70, "match": "prefix"},
            {"package": "flask-login", "last_month": 70, "match": "prefix"},
            {"package": "flak", "last_month": 20, "match": "similar"},
        ],
    }


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("reqeusts", "requests"), ("flaskk", "flask"), ("dateutil", "python-dateutil")],
)
def test_a_slip_finds_what_was_meant(client: FlaskClient, typed: str, meant: str) -> None:
    assert found(client, f"q={typed}") == [(meant, "similar")]


def test_any_spelling_of_a_beginning_works(client: FlaskClient) -> None:
    for typed in ("zope.", "ZOPE_", "+zope-+"):
        assert found(client, f"q={typed}") == [("zope-interface", "prefix")]


def test_results_come_in_pages(client: FlaskClient) -> None:
    pages = [search(client, f"q=fla&limit=2&page={page}") for page in (1, 2, 3, 4)]

    assert [[each["package"] for each in page["data"]] for page in pages] == [
        ["flask", "flask-caching"],
        ["flask-login", "flaky"],
        ["flak"],
        [],
    ]
    assert [page["more"] for page in pages] == [True, True, False, False]


def test_a_full_first_page_has_no_similar_names(client: FlaskClient) -> None:
    assert found(client, "q=flask&limit=1") == [("flask", "exact")]
    assert found(client, "q=flask&limit=3")[-1] == ("flask-login", "prefix")
    assert search(client, "q=flask&limit=3")["more"] is False


def test_nothing_is_found_for_nothing(client: FlaskClient) -> None:
    for query in ("", "q=", "q=+"):
        assert search(client, query)["data"] == []


def test_the_sum_over_all_packages_is_not_found(client: FlaskClient) -> None:
    assert "__all__" not in [name for name, _ in found(client, "q=all")]


@pytest.mark.parametrize(
    ("query", "parameter", "accepts"),
    [
        ("q=a%25", "q", BEGINNING),
        ("q=f&limit=0", "limit", "a whole number from 1 to 100"),
        ("q=f&limit=101", "limit", "a whole number from 1 to 100"),
        ("q=f&page=0", "page", "a whole number from 1 to 100"),
        ("q=f&page=%D9%A3", "page", "a whole number from 1 to 100"),
        ("q=f&page=", "page", "a whole number from 1 to 100"),
    ],
)  # fmt: skip
def test_a_value_that_can_not_be_is_refused(
    client: FlaskClient, query: str, parameter: str, accepts: str
) -> None:
    error = search(client, query, 400)["error"]

    assert (error["parameter"], error["message"]) == (parameter, f"{parameter} takes {accepts}.")


def page(client: FlaskClient, path: str) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return BeautifulSoup(response.text, "html.parser")


def test_the_page_has_similar_names_apart(client: FlaskClient) -> None:
    soup = page(client, "/search?q=reqeusts")

    assert soup.h1.get_text() == "No package begins with “reqeusts”"
    assert soup.h2.get_text() == "Did you mean"
    assert [link.get_text() for link in soup.select("tbody a")] == ["requests"]


def test_the_name_of_a_package_leads_to_it(client: FlaskClient) -> None:
    for typed in ("flask", "Flask", "+FLASK+"):
        response = client.get(f"/search?q={typed}")
        assert (response.status_code, response.location) == (302, "/packages/flask")


def test_the_packages_that_begin_with_a_name_have_pages_too(client: FlaskClient) -> None:
    soup = page(client, "/search?q=flask&page=1")

    assert [link.get_text() for link in soup.select("tbody a")] == [
        "flask",
        "flask-caching",
        "flask-login",
        "flak",
    ]


def test_the_old_address_leads_to_the_search(client: FlaskClient) -> None:
    response = client.get("/search/Flask")

    assert (response.status_code, response.location) == (301, "/search?q=Flask")


def test_an_unknown_package_offers_what_may_have_been_meant(client: FlaskClient) -> None:
    response = client.get("/packages/reqeusts")

    soup = BeautifulSoup(response.text, "html.parser")
    assert response.status_code == 404
    assert soup.select_one(".ranking a").get_text() == "requests"
