"""What queries may cost in a day: it is set aside before each, and added up by what was billed."""

import dataclasses
import datetime as dt
import logging
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from pypistats import budget, ledger, provision, store
from pypistats.budget import PACKAGE_DAY_BYTES, DailyBudget
from pypistats.catalog import DayState, LedgerDay
from pypistats.extensions import db
from pypistats.sources import BudgetError, FetchCost, PlannedQuery, SourceError
from tests.bigquery_proxy import Proxy, hang, status
from tests.download_rows import DAY
from tests.fixtures_bigquery import IMPATIENT, Source

NOW = dt.datetime(2026, 3, 20, 4, tzinfo=dt.UTC)
WHOLE_DAY = PlannedQuery(days=1, packages=None, dry_run_bytes=600)
ONE_PACKAGE = PlannedQuery(days=10, packages=1, dry_run_bytes=10**15)

pytestmark = pytest.mark.usefixtures("app_context")


def budget_of(limit: int, *, now: dt.datetime = NOW, hold_back: bool = False) -> DailyBudget:
    return DailyBudget(limit, hold_back=hold_back, clock=lambda: now)


def spent(now: dt.datetime = NOW) -> int:
    with db.engine.begin() as connection:
        return budget.spent(connection, now)


def load(day: dt.date, billed: int) -> None:
    """Write into the ledger that a day has been loaded, and what it was billed."""
    row = LedgerDay(day, DayState.LOADED, "bigquery", 1, 1, bytes_billed=billed, loaded_at=NOW)
    with store.transaction():
        ledger.record_load(row)


def test_what_is_set_aside_counts_until_it_is_billed() -> None:
    daily = budget_of(1_000)

    reserved = daily.reserve(WHOLE_DAY)
    assert spent() == 600
    with pytest.raises(BudgetError, match=r"needs 600 bytes, and of 1,000 .* 400 are left"):
        daily.reserve(WHOLE_DAY)
    daily.settle(reserved, 300, "job-1")
    assert spent() == 300
    daily.reserve(WHOLE_DAY)


def test_each_utc_day_has_its_own_budget() -> None:
    budget_of(600).reserve(WHOLE_DAY)

    next_day = dt.datetime(2026, 3, 21, tzinfo=dt.UTC)
    budget_of(600, now=next_day).reserve(WHOLE_DAY)

    assert (spent(), spent(next_day)) == (1_200, 600)


def test_a_package_is_taken_to_cost_what_such_queries_were_billed() -> None:
    daily = budget_of(10**15)

    first = daily.reserve(ONE_PACKAGE)
    assert spent() == 10 * PACKAGE_DAY_BYTES
    daily.settle(first, 5_000, "job-1")
    daily.settle(daily.reserve(WHOLE_DAY), 600, "job-2")
    daily.settle(daily.reserve(PlannedQuery(3, 5, 0)), 10_000, "job-3")

    before = spent()
    daily.reserve(PlannedQuery(days=2, packages=3, dry_run_bytes=10**15))
    assert spent() - before == 15_000 // (10 + 15) * 6


def test_the_first_refusal_of_a_day_is_logged_and_the_others_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for now in (NOW, NOW + dt.timedelta(hours=5), NOW + dt.timedelta(days=1)):
        with pytest.raises(BudgetError):
            budget_of(599, now=now).reserve(WHOLE_DAY)

    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 2
    assert "BIGQUERY_DAILY_BUDGET: a query needs 600 bytes" in lines[0].getMessage()
    assert spent() == 0


def test_what_the_days_own_load_will_cost_is_left_for_it() -> None:
    load(dt.date(2026, 3, 18), billed=500)

    budget_of(1_000).settle(budget_of(1_000).reserve(WHOLE_DAY), 0, None)
    with pytest.raises(BudgetError, match="500 are left"):
        budget_of(1_000, hold_back=True).reserve(WHOLE_DAY)

    load(dt.date(2026, 3, 19), billed=500)
    budget_of(1_000, hold_back=True).reserve(WHOLE_DAY)


def test_whole_days_without_room_leave_what_visitors_ask_for_its_own() -> None:
    with pytest.raises(BudgetError):
        budget_of(599, now=dt.datetime.now(dt.UTC)).reserve(WHOLE_DAY)
    assert provision.supply("flask").budget_gone_until is None
    assert provision.spending().gone_until is not None

    with pytest.raises(BudgetError):
        budget_of(599, now=dt.datetime.now(dt.UTC), hold_back=True).reserve(ONE_PACKAGE)
    assert provision.supply("flask").budget_gone_until == provision.spending().gone_until


def test_what_was_billed_stays_so_when_the_work_is_undone() -> None:
    daily = budget_of(1_000)
    db.session.execute(text("select 1"))
    daily.settle(daily.reserve(WHOLE_DAY), 400, "job-1")
    db.session.rollback()

    assert spent() == 400


class Recorder:
    """A budget that keeps what it is told, and refuses when it is told to."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.refuse = refuse
        self.reserved: list[PlannedQuery] = []
        self.settled: list[tuple[int, int, str | None]] = []

    def reserve(self, query: PlannedQuery) -> int:
        if self.refuse:
            raise BudgetError("nothing is left")
        self.reserved.append(query)
        return len(self.reserved)

    def settle(self, reserved: int, bytes_billed: int, job_id: str | None) -> None:
        self.settled.append((reserved, bytes_billed, job_id))


@pytest.fixture
def recorder(proxy: Proxy) -> Iterator[Recorder]:
    proxy.dry_run_bytes, proxy.run_bytes = 3_000, 2_000
    return Recorder()


def test_each_query_is_reserved_by_its_dry_run_and_settled_by_its_bill(
    make_source: Source, proxy: Proxy, recorder: Recorder
) -> None:
    source = make_source(budget=recorder)
    list(source.fetch(DAY, DAY + dt.timedelta(days=1)))
    list(source.fetch(DAY, DAY + dt.timedelta(days=1), ["a", "0"]))

    whole, some = PlannedQuery(1, None, 3_000), PlannedQuery(2, 2, 3_000)
    assert recorder.reserved == [whole, whole, some]
    jobs = [call.body["jobReference"]["jobId"] for call in proxy.of("query")]
    assert recorder.settled == [(n, 2_000, job) for n, job in enumerate(jobs, start=1)]


def test_a_query_without_budget_is_not_run(make_source: Source, proxy: Proxy) -> None:
    source = make_source(budget=Recorder(refuse=True))

    with pytest.raises(BudgetError):
        list(source.fetch(DAY, DAY))

    assert proxy.of("query") == []
    assert source.cost == FetchCost(proxy.dry_run_bytes, 0, None)


def test_a_query_that_is_refused_costs_nothing(
    make_source: Source, proxy: Proxy, recorder: Recorder
) -> None:
    proxy.fail("query", status(403, "quotaExceeded"))

    with pytest.raises(SourceError):
        list(make_source(budget=recorder).fetch(DAY, DAY))

    assert recorder.settled == [(1, 0, None)]


def test_a_query_whose_end_is_not_seen_may_have_cost_all(
    make_source: Source, proxy: Proxy, recorder: Recorder
) -> None:
    proxy.fail("query", hang)
    source = make_source(budget=recorder, patience=dataclasses.replace(IMPATIENT, request=5))

    with pytest.raises(SourceError):
        list(source.fetch(DAY, DAY))

    assert len(recorder.reserved) == 1
    assert recorder.settled == []


def test_the_budget_of_the_settings_holds_for_commands(
    app: Flask, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.dry_run_bytes = 4_000
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
    monkeypatch.setitem(app.config, "BIGQUERY_DAILY_BUDGET", 3_999)

    result = app.test_cli_runner().invoke(args=["ingest", str(DAY)])

    assert result.exit_code == 1
    assert "BIGQUERY_DAILY_BUDGET: a query needs 4,000 bytes" in result.output
    assert proxy.of("query") == []
