"""Old months go, and the totals since the first loaded day outlast that and every correction."""

import datetime as dt
from collections.abc import Callable
from random import Random

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from pypistats import ingest, package_lists, queries, retention
from pypistats.catalog import ALL_PACKAGES
from pypistats.extensions import db
from pypistats.partitions import drop
from pypistats.stored_package import stored_package
from tests.fixed_source import DAY, FixedSource, package_day

pytestmark = pytest.mark.usefixtures("app_context")

JANUARY, FEBRUARY, MARCH = (dt.date(2026, month, 28) for month in (1, 2, 3))
APRIL_FIRST = dt.date(2026, 4, 1)


def load(day: dt.date, **downloads: int) -> None:
    rows = [package_day(name, day, downloads=count) for name, count in downloads.items()]
    ingest.ingest_day(day, FixedSource(*rows))


def totals(*packages: str) -> tuple[int, ...]:
    return tuple(queries.total(package) for package in (*packages, ALL_PACKAGES))


def execute(statement: str, **values: object) -> None:
    db.session.execute(text(statement), values)
    db.session.commit()


def test_a_purge_drops_whole_months_and_their_days_in_the_ledger() -> None:
    for day in (dt.date(2026, 1, 31), dt.date(2026, 2, 28), dt.date(2026, 3, 1)):
        load(day, flask=day.day)

    assert retention.purge_before(dt.date(2026, 2, 27)) == ["daily_2026_01"]
    assert list(queries.ledger()) == [dt.date(2026, 3, 1), dt.date(2026, 2, 28)]
    assert stored_package(ALL_PACKAGES, days=999).days.day == ["2026-02-28", "2026-03-01"]

    assert retention.purge_before(APRIL_FIRST) == ["daily_2026_02", "daily_2026_03"]
    assert queries.ledger() == {}
    assert stored_package(ALL_PACKAGES, days=999).days.day == []
    assert queries.recent(ALL_PACKAGES) == queries.recent("flask") == (0, 0, 0)


@pytest.mark.parametrize("cut", ["detach partition daily_2026_03", ""])
def test_a_purge_that_was_cut_off_is_finished_by_the_next(cut: str) -> None:
    load(DAY, flask=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "drop", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retention.purge_before(APRIL_FIRST)
    if cut:
        execute(f"alter table daily {cut}")

    assert retention.purge_before(APRIL_FIRST) == ["daily_2026_03"]
    assert totals("flask") == (10, 10)
    load(DAY, flask=11)
    assert totals("flask") == (10, 10)


def detach_alone(connection: Connection, name: str) -> None:
    """Be killed after the month was detached."""
    connection.execute(text(f"alter table daily detach partition {name}"))
    raise KeyboardInterrupt


def detach_by_half(connection: Connection, name: str) -> None:
    """Be killed while a reader keeps the month from being detached."""
    with db.engine.connect() as reader:
        reader.execute(text("select count(*) from daily"))
        connection.execute(text("set statement_timeout = 200"))
        with pytest.raises(OperationalError, match="statement timeout"):
            drop(connection, name)
        connection.execute(text("set statement_timeout = 0"))
    raise KeyboardInterrupt


@pytest.mark.parametrize("cut_off", [detach_alone, detach_by_half])
def test_a_month_that_a_cut_off_purge_left_can_be_loaded_after_the_next(
    cut_off: Callable[[Connection, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    load(JANUARY, flask=5)
    load(MARCH, flask=10)
    monkeypatch.setattr(retention, "drop", cut_off)
    with pytest.raises(KeyboardInterrupt):
        retention.purge_before(MARCH)
    monkeypatch.setattr(retention, "drop", drop)

    # More days are kept by now, and the month is among them.
    assert retention.purge_before(JANUARY) == ["daily_2026_01"]
    load(JANUARY, flask=6)
    assert totals("flask") == (15, 15)
    assert retention.purge_before(JANUARY) == []


def test_a_purge_leaves_the_work_to_one_that_is_at_it() -> None:
    load(JANUARY, flask=10)
    with db.engine.begin() as other:
        other.execute(text("select pg_advisory_xact_lock(:key)"), {"key": retention.PURGE_LOCK})
        assert retention.purge_before(APRIL_FIRST) == []

    assert retention.purge_before(APRIL_FIRST) == ["daily_2026_01"]


def test_totals_add_up_all_days_without_mirrors() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=5, mirrored=3)))
    load(FEBRUARY, flask=20, requests=1)

    assert totals("flask", "requests") == (25, 1, 26)
    assert queries.first_day() == FEBRUARY


def test_totals_survive_a_correction() -> None:
    load(DAY, flask=5, gone=7)
    load(FEBRUARY, flask=20)
    load(DAY, flask=4, new=1)
    load(FEBRUARY, flask=30)

    assert totals("flask", "gone", "new") == (34, 0, 1, 35)


def test_totals_survive_a_correction_of_some_packages() -> None:
    load(DAY, flask=5, requests=7)

    rows = FixedSource(package_day("flask", downloads=9))
    ingest.ingest_day(DAY, rows, packages=["flask"])
    assert totals("flask", "requests") == (9, 7, 16)

    ingest.ingest_day(DAY, FixedSource(), packages=["flask"])
    assert totals("flask", "requests") == (0, 7, 7)


def test_totals_survive_a_purge() -> None:
    load(JANUARY, flask=100, gone=7)
    load(MARCH, flask=1)

    retention.purge_before(APRIL_FIRST - dt.timedelta(days=1))

    assert totals("flask", "gone") == (101, 7, 108)
    assert queries.first_day() == JANUARY


def test_a_purged_day_that_is_loaded_again_does_not_count_again() -> None:
    load(JANUARY, flask=100)
    load(MARCH, flask=1)
    retention.purge_before(MARCH)

    load(JANUARY, flask=150)
    load(JANUARY - dt.timedelta(days=1), flask=20)
    assert totals("flask") == (121, 121)
    load(JANUARY, flask=170)
    assert totals("flask") == (121, 121)

    retention.purge_before(MARCH)
    assert totals("flask") == (121, 121)


def test_totals_are_counted_anew_after_rows_were_taken_out_by_hand() -> None:
    load(MARCH, flask=1, requests=2)
    load(DAY, flask=10, requests=20)
    execute("delete from daily where day = :day", day=DAY)

    load(DAY, flask=10, requests=20)

    assert totals("flask", "requests") == (11, 22, 33)


def test_totals_are_right_after_anything() -> None:
    random = Random(7)
    days = [JANUARY, FEBRUARY - dt.timedelta(days=1), FEBRUARY, MARCH]
    purged: dict[dt.date, dict[str, int]] = {}
    kept: dict[dt.date, dict[str, int]] = {}
    for _ in range(40):
        day = random.choice(days)
        match random.randrange(8):
            case 0:
                retention.purge_before(day)
                old = {each for each in kept if each < day.replace(day=1)}
                purged = {each: kept[each] for each in old} | purged
                kept = {each: rows for each, rows in kept.items() if each not in old}
            case 1:
                execute("delete from daily where day = :day", day=day)
                execute("delete from ingested_days where day = :day", day=day)
                kept.pop(day, None)
            case _:
                kept[day] = {name: random.randrange(1, 99) for name in random.sample("abcd", 2)}
                load(day, **kept[day])
                counted = {**kept, **purged}.values()
                expected = tuple(sum(rows.get(name, 0) for rows in counted) for name in "abcd")
                found = tuple(queries.total(name) if known(name) else 0 for name in "abcd")
                assert found == expected
                assert queries.total(ALL_PACKAGES) == sum(expected)


def known(package: str) -> bool:
    return bool(package_lists.search(package, limit=1))


def test_the_purge_command_drops_old_months(runner: FlaskCliRunner) -> None:
    load(DAY, flask=1)

    assert runner.invoke(args=["purge", str(DAY)]).output == "dropped nothing\n"
    assert runner.invoke(args=["purge", "2026-04-01"]).output == "dropped daily_2026_03\n"
