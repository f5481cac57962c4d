"""A day is tended: looked at, fetched and tried again until it is final, and nothing twice."""

import datetime as dt
import logging
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from pypistats import ingest, pipeline, queries, store
from pypistats.catalog import DayState, LedgerDay, PackageDay
from pypistats.extensions import db
from pypistats.sources import SourceError
from tests.fixed_source import DAY, FixedSource, package_day

pytestmark = pytest.mark.usefixtures("app_context")

NIGHT = dt.datetime(2026, 3, 16, 3, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NIGHT

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> FixedSource:
    return FixedSource(package_day("flask"))


def tend(source: FixedSource, clock: Clock, **options: Any) -> DayState | None:
    return pipeline.tend_day(DAY, lambda: source, clock=clock, **options)


def row() -> LedgerDay:
    db.session.rollback()
    return queries.ledger()[DAY]


def stored() -> list[PackageDay]:
    db.session.rollback()
    return list(queries.stored_days(DAY, DAY))


def test_a_day_is_looked_at_hourly_until_it_is_complete(source: FixedSource, clock: Clock) -> None:
    source.bytes_there = 10_000
    assert tend(source, clock) is DayState.MISSING
    assert row() == LedgerDay(
        DAY, DayState.MISSING, dry_run_bytes=10_000, tried_at=NIGHT,
        note="not complete at the source yet: 10,000 bytes",
    )  # fmt: skip
    assert tend(source, clock) is None

    clock.now += HOUR
    source.bytes_there = 12_000
    assert tend(source, clock) is DayState.MISSING
    assert stored() == []

    clock.now += HOUR
    assert tend(source, clock) is DayState.LOADED
    assert stored() == [package_day("flask")]
    assert (row().loaded_at, row().attempts, row().note) == (clock.now, 0, None)


def test_what_is_due_is_done_once(source: FixedSource, clock: Clock) -> None:
    assert tend(source, clock) is DayState.LOADED

    source.rows = (package_day("requests"),)
    assert tend(source, clock) is None
    assert tend(source, clock, retrying=True) is None

    assert stored() == [package_day("flask")]


def test_a_day_that_another_worker_has_is_left_to_it(
    app: Flask, source: FixedSource, clock: Clock
) -> None:
    with app.app_context(), store.day_lock(DAY) as ours:
        assert ours
        assert tend(source, clock) is None
    assert stored() == []

    assert tend(source, clock) is DayState.LOADED


def test_a_failure_is_in_the_ledger_and_raised_and_makes_a_pause(
    source: FixedSource, clock: Clock
) -> None:
    source.fail_after = 1

    with pytest.raises(SourceError, match="broke off"):
        tend(source, clock)
    assert stored() == []
    assert row() == LedgerDay(
        DAY, DayState.MISSING, bytes_billed=1_000, attempts=1, tried_at=NIGHT,
        note="the source broke off",
    )  # fmt: skip

    source.fail_after = None
    assert tend(source, clock) is None
    assert tend(source, clock, retrying=True) is DayState.LOADED
    assert row().bytes_billed == 2_000


def test_a_source_that_can_not_be_opened_is_a_failure_too(clock: Clock) -> None:
    def unopened() -> FixedSource:
        raise SourceError("BigQuery takes no credentials:\nnone found")

    with pytest.raises(SourceError):
        pipeline.tend_day(DAY, unopened, clock=clock)

    assert row().note == "BigQuery takes no credentials: none found"


def test_a_crash_is_counted_though_nobody_wrote_why(
    source: FixedSource, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "ingest_day", crash)
        with pytest.raises(SystemExit):
            tend(source, clock)
    assert (row().attempts, row().note) == (1, None)

    clock.now += dt.timedelta(seconds=59)
    assert tend(source, clock) is None
    clock.now += dt.timedelta(seconds=1)
    assert tend(source, clock) is DayState.LOADED


def test_a_database_that_goes_away_midway_leaves_the_day_due(
    source: FixedSource, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        db.session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    with monkeypatch.context() as patch:
        patch.setattr(store, "refresh_counts", cut)
        with pytest.raises(OperationalError):
            tend(source, clock)

    assert stored() == []
    assert tend(source, clock, retrying=True) is DayState.LOADED


def test_an_empty_day_is_no_zero(source: FixedSource, clock: Clock) -> None:
    source.rows = ()

    with pytest.raises(ingest.EmptyDayError):
        tend(source, clock)

    assert row().state is DayState.MISSING


def test_a_day_that_the_source_has_nothing_for_waits_without_a_query(
    source: FixedSource, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.now += 10 * HOUR
    source.rows, source.bytes_there = (), 0

    with caplog.at_level(logging.INFO):
        assert tend(source, clock) is DayState.MISSING

    assert (row().attempts, row().note) == (1, "the source has nothing for it")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "2026-03-15 is missing: the source has nothing for it")
    ]


def test_rows_that_came_late_are_fetched_after_two_days(source: FixedSource, clock: Clock) -> None:
    clock.now += 10 * HOUR
    source.bytes_there = 2_000
    assert tend(source, clock) is DayState.LOADED

    clock.now += dt.timedelta(days=2)
    source.rows = (package_day("flask", downloads=11),)
    source.bytes_there = 2_200
    assert tend(source, clock) is DayState.FINAL

    assert stored() == [package_day("flask", downloads=11)]
    assert row().note == "fetched again two days after the load: 10 downloads became 11"
    clock.now += dt.timedelta(days=9)
    assert tend(source, clock) is None


def test_a_half_day_is_suspect_until_the_rest_has_come(source: FixedSource, clock: Clock) -> None:
    for weeks in (1, 2, 3):
        day = DAY - dt.timedelta(weeks=weeks)
        ingest.ingest_day(day, FixedSource(package_day("flask", day, downloads=21)))
    assert tend(source, clock) is DayState.SUSPECT
    assert row().note == "48% of what its weekday usually has"
    week = [f"2026-03-{n:02}" for n in range(9, 16)]
    assert queries.day_marks(days=7) == (week[:-1], week[-1:], week[0])

    clock.now += 24 * HOUR
    source.rows = (package_day("flask", downloads=20),)
    assert tend(source, clock) is DayState.LOADED
    assert stored() == list(source.rows)


def test_a_suspect_day_that_settles_is_marked_no_more(source: FixedSource, clock: Clock) -> None:
    for weeks in (1, 2):
        day = DAY - dt.timedelta(weeks=weeks)
        ingest.ingest_day(day, FixedSource(package_day("flask", day, downloads=21)))
    source.bytes_there = 2_000
    for hours in (9, 24, 24):
        clock.now += dt.timedelta(hours=hours)
        assert tend(source, clock) is DayState.SUSPECT
    before = queries.revision().latest

    clock.now += 24 * HOUR
    assert tend(source, clock) is DayState.FINAL

    assert row().note == "48% of what its weekday usually has, and settled at that"
    assert row().bytes_billed == 2_000
    assert queries.day_marks(days=1) == ([], [], "2026-03-15")
    assert queries.revision().latest == before + 1


def test_days_whose_rows_are_gone_are_missing_and_due(
    source: FixedSource, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert tend(source, clock) is DayState.LOADED
    db.session.execute(text("delete from daily where day = :day"), {"day": DAY})
    db.session.commit()

    assert pipeline.due_days(days=180, clock=clock) == [DAY]
    assert row().note == "its rows are gone from the store"
    assert pipeline.due_days(days=180, clock=clock) == [DAY]
    assert caplog.messages == ["2026-03-15 was loaded, and its rows are gone from the store"]

    assert tend(source, clock) is DayState.LOADED
    assert pipeline.due_days(days=180, clock=clock) == []
