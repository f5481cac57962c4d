"""The status page and its document: the window day by day."""

import datetime as dt

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pypistats import ingest, pipeline
from pypistats.budget import DailyBudget
from pypistats.sources import BudgetError, PlannedQuery, SourceError
from pypistats.views import status
from tests.fixed_source import DAY, FixedSource, package_day

NOW = dt.datetime(2026, 3, 17, 4, tzinfo=dt.UTC)
DAY_BEFORE = DAY - dt.timedelta(days=1)
NEXT_DAY = DAY + dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def a_loaded_a_missing_and_a_failed_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "utc_now", lambda: NOW)
    with app.app_context():
        rows = FixedSource(package_day("flask", DAY_BEFORE, downloads=1_234))
        ingest.ingest_day(DAY_BEFORE, rows, clock=lambda: NOW)
        broken = FixedSource(package_day("flask", NEXT_DAY), fail_after=0)
        with pytest.raises(SourceError):
            pipeline.tend_day(NEXT_DAY, lambda: broken, clock=lambda: NOW)


def test_the_document_has_every_day_the_newest_first(client: FlaskClient) -> None:
    nothing = dict.fromkeys(("rows", "downloads", "source", "loaded_at", "bytes_billed", "note"))

    assert client.get("/api/status").json == {
        "type": "status",
        "source": "bigquery",
        "scope": "all",
        "budget": {"bytes": 2**40, "spent": 0, "gone_until": None},
        "states": {"missing": 2, "loaded": 1, "suspect": 0, "final": 0},
        "data": [
            nothing
            | {"day": "2026-03-16", "state": "missing", "attempts": 1}
            | {"bytes_billed": 1_000, "note": "the source broke off"},
            nothing | {"day": "2026-03-15", "state": "missing", "attempts": 0},
            {
                "day": "2026-03-14",
                "state": "loaded",
                "rows": 1,
                "downloads": 1_234,
                "source": "fixed",
                "loaded_at": "2026-03-17T04:00:00+00:00",
                "bytes_billed": 1_000,
                "attempts": 0,
                "note": None,
            },
        ],
    }


def test_the_page_shows_the_same(client: FlaskClient) -> None:
    soup = BeautifulSoup(client.get("/status").text, "html.parser")

    assert [
        [cell.get_text() for cell in row.find_all(["th", "td"])]
        for row in soup.find("tbody").find_all("tr")
    ] == [
        ["2026-03-16", "missing", "", "", "", "", "1,000", "the source broke off"],
        ["2026-03-15", "missing", "", "", "", "", "", ""],
        ["2026-03-14", "loaded", "1", "1,234", "fixed", "2026-03-17 04:00", "1,000", ""],
    ]


def test_a_budget_that_is_gone_is_said(app: Flask, client: FlaskClient) -> None:
    daily = DailyBudget(1_000)
    with app.app_context():
        daily.reserve(PlannedQuery(1, None, 600))
        with pytest.raises(BudgetError):
            daily.reserve(PlannedQuery(1, None, 600))

    budget = client.get("/api/status").json["budget"]
    page = client.get("/status").text

    midnight = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    assert budget == {"bytes": 2**40, "spent": 600, "gone_until": f"{midnight}T00:00:00+00:00"}
    assert "The budget of today (UTC) is gone" in page


def test_a_source_that_bills_nothing_has_no_budget(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "SOURCE", "sample")

    assert client.get("/api/status").json["budget"] is None
    assert "bytes a day" not in client.get("/status").text
