"""Months are written anew in the order of packages, and hold what they held."""

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import flask_migrate
import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from pypistats import ingest, month_order, queries, rankings, retention
from pypistats.catalog import PackageDay
from pypistats.extensions import db
from tests.fixed_source import FixedSource, package_day

pytestmark = pytest.mark.usefixtures("app_context")

FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 1, 31)
NAME = "daily_2026_01"
PACKAGES = [f"package-{n}" for n in range(5)]


@pytest.fixture(autouse=True)
def three_days_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(month_order, "SCATTERED_DAYS", 3)


@pytest.fixture
def january(app_context: None) -> list[PackageDay]:  # noqa: ARG001 - the database
    """Load three days of a month, each with all packages; return the rows."""
    for day in (LAST, FIRST, FIRST + dt.timedelta(days=9)):
        rows = [package_day(name, day, downloads=day.day + n) for n, name in enumerate(PACKAGES)]
        ingest.ingest_day(day, FixedSource(*rows))
    return stored()


def connected(app: Flask) -> psycopg2.extensions.connection:
    return psycopg2.connect(app.config["DATABASE_URL"].replace("+psycopg2", ""))


@pytest.fixture
def other(app: Flask) -> Iterator[psycopg2.extensions.connection]:
    with contextlib.closing(connected(app)) as connection:
        yield connection


def stored() -> list[PackageDay]:
    return list(queries.stored_days(FIRST, LAST))


def places() -> list[int]:
    """Return the packages' ids as their rows lie in the table."""
    found = list(db.session.execute(text(f"select package_id from {NAME} order by ctid")).scalars())
    db.session.rollback()
    return found


def test_a_month_lies_in_the_order_of_packages(january: list[PackageDay]) -> None:
    assert places() != sorted(places())

    assert month_order.first_unordered() == NAME
    assert month_order.order_month(NAME)

    assert places() == sorted(places())
    assert stored() == january
    assert month_order.first_unordered() is None


def test_a_month_is_written_again_once_as_many_days_are_new(january: list[PackageDay]) -> None:
    assert january
    month_order.order_month(NAME)

    for day in range(2, 5):
        assert month_order.first_unordered() is None
        for _ in range(2):
            # What is loaded again is no new day.
            date = FIRST.replace(day=day)
            ingest.ingest_day(date, FixedSource(package_day("package-0", date)))
    assert month_order.first_unordered() == NAME


def test_the_oldest_month_comes_first(january: list[PackageDay]) -> None:
    assert january
    for day in (dt.date(2026, 2, 1), dt.date(2025, 12, 1)):
        for offset in range(3):
            rows = [package_day("package-0", day + dt.timedelta(days=offset))]
            ingest.ingest_day(rows[0].day, FixedSource(*rows))

    found = []
    while name := month_order.first_unordered():
        found.append(name)
        month_order.order_month(name)

    assert found == ["daily_2025_12", NAME, "daily_2026_02"]


def test_a_month_in_order_is_a_month_like_any_other(january: list[PackageDay]) -> None:
    month_order.order_month(NAME)
    flask_migrate.check()

    ingest.ingest_day(LAST, FixedSource(package_day("new", LAST, downloads=1)))
    assert [row for row in stored() if row.day == LAST] == [package_day("new", LAST, downloads=1)]
    assert [row for row in stored() if row.day != LAST] == [
        row for row in january if row.day != LAST
    ]

    assert retention.purge_before(LAST + dt.timedelta(days=1)) == [NAME]
    assert queries.total("package-0") == sum(
        row.without_mirrors for row in january if row.package == "package-0" and row.day != LAST
    )


@pytest.mark.parametrize("key", [retention.PURGE_LOCK, rankings.RANKINGS_LOCK])
def test_a_month_is_not_exchanged_under_a_purge_or_the_lists(
    january: list[PackageDay], other: psycopg2.extensions.connection, key: int
) -> None:
    with other.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (key,))
        assert not month_order.order_month(NAME)
        other.rollback()

    assert month_order.order_month(NAME)
    assert stored() == january


def test_a_month_that_is_gone_is_not_written() -> None:
    assert not month_order.order_month(NAME)


def test_readers_do_not_wait_for_a_reader_that_is_in_the_way(
    january: list[PackageDay],
    other: psycopg2.extensions.connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(month_order, "LOCK_MILLISECONDS", 10)
    monkeypatch.setattr(month_order, "LOCK_TRIES", 2)
    monkeypatch.setattr(month_order, "PAUSE_SECONDS", 0)
    with other.cursor() as cursor:
        cursor.execute("select count(*) from daily")
        with pytest.raises(OperationalError, match="lock timeout"):
            month_order.order_month(NAME)
    assert stored() == january
    assert month_order.first_unordered() == NAME

    monkeypatch.setattr(month_order, "LOCK_TRIES", 1_000)
    pausing = SimpleNamespace(sleep=lambda _: other.rollback())
    monkeypatch.setattr(month_order, "time", pausing)
    with other.cursor() as cursor:
        cursor.execute("select count(*) from daily")
        assert month_order.order_month(NAME)
    assert stored() == january


def test_readers_see_a_whole_month_at_any_moment(app: Flask, january: list[PackageDay]) -> None:
    counts: set[int] = set()
    done = threading.Event()

    def read() -> None:
        with contextlib.closing(connected(app)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not done.is_set():
                cursor.execute("select count(*) from daily")
                counts.update(*cursor.fetchall())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(5):
            assert month_order.order_month(NAME)
    finally:
        done.set()
        reader.join()

    assert counts == {len(january) + 3}
