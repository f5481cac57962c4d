"""kill -9 at any moment leaves the old day or the new one, and the next run needs no cleaning."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from pypistats import ingest, queries
from pypistats.catalog import ALL_PACKAGES
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.run_ingest import NEW_DAY

ROOT = Path(__file__).parent.parent
OLD_DAY = [package_day("flask", downloads=5), package_day("gone-tomorrow", mirrored=1)]

LOCKS = {
    "before new names go in": "lock table packages in share mode",
    "before the old day goes out": "lock table daily_2026_03 in share mode",
    "before the ledger's row": "lock table ingested_days in share mode",
    "before the recent counts": "select from packages where name = 'flask' for update",
}
"""What to hold so that an ingest waits at a certain step."""

pytestmark = pytest.mark.usefixtures("app_context")

State = tuple[object, ...]


def state() -> State:
    """Return all that the database holds of the day."""
    (everything,) = queries.series(ALL_PACKAGES, queries.DAY_COLUMNS, days=1)
    return (
        list(queries.stored_days(DAY, DAY)),
        everything,
        queries.recent(ALL_PACKAGES),
        queries.recent("flask"),
        [row[:6] for row in queries.loaded_days()],
    )


@pytest.fixture
def old_and_new() -> tuple[State, State]:
    """Load the new day and then the old one; return the state after each, the old one first."""
    ingest.ingest_day(DAY, FixedSource(*NEW_DAY))
    new = state()
    ingest.ingest_day(DAY, FixedSource(*OLD_DAY))
    old = state()
    db.session.rollback()
    return old, new


@contextlib.contextmanager
def ingesting(app: Flask, pause_after: int = 0) -> Iterator["subprocess.Popen[str]"]:
    """Run an ingest of the new day, and kill it at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.run_ingest", str(pause_after)],
        cwd=ROOT,
        env={"DATABASE_URL": app.config["DATABASE_URL"], "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def backends(connection: Connection, wait: str) -> int:
    """Count the other sessions of ours, those in a certain kind of wait when one is given."""
    query = (
        "select count(*) from pg_stat_activity where application_name = 'pypistats'"
        " and state <> 'idle' and pid <> pg_backend_pid()"
        " and (:wait = '' or wait_event_type = :wait)"
    )
    count = connection.execute(text(query), {"wait": wait}).scalar_one()
    connection.rollback()
    return int(count)


def until(connection: Connection, count: int, wait: str = "") -> None:
    deadline = time.monotonic() + 30
    while backends(connection, wait) != count:
        assert time.monotonic() < deadline, f"there are not {count} sessions waiting for {wait!r}"
        time.sleep(0.02)


@pytest.fixture
def watcher() -> Iterator[Connection]:
    with db.engine.connect() as connection:
        yield connection


def test_killed_while_rows_stream_in(
    app: Flask, watcher: Connection, old_and_new: tuple[State, State]
) -> None:
    old, new = old_and_new
    with ingesting(app, pause_after=10_000) as process:
        assert process.stdout
        assert process.stdout.readline() == "reading\n"
    until(watcher, 0)

    assert state() == old
    ingest.ingest_day(DAY, FixedSource(*NEW_DAY))
    assert state() == new


@pytest.mark.parametrize("step", LOCKS)
def test_killed_at_a_step(
    app: Flask, watcher: Connection, old_and_new: tuple[State, State], step: str
) -> None:
    old, new = old_and_new
    with db.engine.connect() as holder:
        holder.execute(text(LOCKS[step]))
        with ingesting(app):
            until(watcher, 1, wait="Lock")
        holder.rollback()
    until(watcher, 0)

    assert state() == old
    ingest.ingest_day(DAY, FixedSource(*NEW_DAY))
    assert state() == new


@pytest.mark.parametrize("milliseconds", range(0, 500, 100))
def test_killed_at_some_moment_of_the_load(
    app: Flask, watcher: Connection, old_and_new: tuple[State, State], milliseconds: int
) -> None:
    with ingesting(app):
        until(watcher, 1)
        time.sleep(milliseconds / 1000)
    until(watcher, 0)

    assert state() in old_and_new
    ingest.ingest_day(DAY, FixedSource(*NEW_DAY))
    assert state() == old_and_new[1]


def test_two_loaders_at_once_do_their_work_one_after_the_other(
    app: Flask, old_and_new: tuple[State, State]
) -> None:
    with ingesting(app) as first, ingesting(app) as second:
        assert [first.wait(), second.wait()] == [0, 0]

    assert state() == old_and_new[1]
