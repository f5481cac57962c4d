"""Fixtures of the tests that break the pipeline: servers to be killed, and who waits for the day.

One day is missing in the database. Those about it are there, so that nothing else is due.
"""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import text

from pypistats import create_app, ingest, queries
from pypistats.catalog import ALL_PACKAGES, DayState, PackageDay
from pypistats.clock import utc_now
from pypistats.embedded import PostgresServer
from pypistats.extensions import db
from pypistats.schedule import last_open_day
from tests.fixed_source import FixedSource, package_day
from tests.pipeline_processes import Celery, Valkey, running, until

MISSING_DAY = last_open_day(utc_now()) - dt.timedelta(days=1)

NEIGHBOUR = package_day("neighbour", downloads=5)
NEIGHBOURS = (-1, 1, 2, 3)
"""The days about the missing one, by their distance."""

WORKER = ("worker", "--without-gossip", "--without-mingle")
"""The worker's words in the Procfile."""


class Pipeline:
    """The processes at work on one database, and what a test asks of it."""

    def __init__(self, app: Flask, worker: Celery) -> None:
        self._app = app
        self.worker = worker

    def ask(self, question: Callable[[], Any]) -> Any:
        """Ask something that wants the app."""
        with self._app.app_context():
            return question()

    def attempts(self) -> int:
        """Return how often the missing day was tried; 0 again once it is loaded."""
        row = self.ask(queries.ledger).get(MISSING_DAY)
        return row.attempts if row else 0

    def is_loaded(self) -> bool:
        return bool(self.ask(lambda: queries.is_loaded(MISSING_DAY)))

    def lose_the_day(self) -> None:
        """Take the day out of the database, without a trace."""
        with self._app.app_context():
            db.session.execute(text("delete from daily where day = :day"), {"day": MISSING_DAY})
            db.session.execute(
                text("delete from ingested_days where day = :day"), {"day": MISSING_DAY}
            )
            db.session.commit()

    def check(self, truth: list[PackageDay]) -> None:
        """Wait for the day, and see that it is whole and that nothing was counted twice."""
        until(self.is_loaded, "the day is loaded")
        everything = sum(row.without_mirrors for row in (*truth, *[NEIGHBOUR] * len(NEIGHBOURS)))
        row = self.ask(queries.ledger)[MISSING_DAY]
        assert (row.state, row.packages, row.attempts) == (DayState.LOADED, len(truth), 0)
        assert self.ask(lambda: list(queries.stored_days(MISSING_DAY, MISSING_DAY))) == truth
        assert self.ask(lambda: queries.total(ALL_PACKAGES)) == everything
        assert self.ask(lambda: queries.recent(ALL_PACKAGES)).last_week == everything

    def new_lines(self, since: int) -> list[str]:
        """Return what the worker's log got since it had so many lines; each of them is whole."""
        lines = self.worker.log()[since:]
        assert [line for line in lines if not line.startswith("[20")] == []
        return lines

    def await_line(self, since: int, fact: str) -> None:
        """Wait until the worker's log has a line that tells a fact."""
        until(lambda: [line for line in self.worker.log()[since:] if fact in line], fact)
        assert len([line for line in self.new_lines(since) if fact in line]) == 1


@pytest.fixture(scope="module")
def broken_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL of the module's own."""
    with tempfile.TemporaryDirectory(prefix="pypistats-test-") as folder:
        server = PostgresServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def broken_app(broken_postgres: PostgresServer) -> Flask:
    """Give the app on a database that has the days about the missing one."""
    app = create_app({"DATABASE_URL": broken_postgres.url})
    with app.app_context():
        flask_migrate.upgrade()
        for offset in NEIGHBOURS:
            day = MISSING_DAY + dt.timedelta(days=offset)
            ingest.ingest_day(day, FixedSource(NEIGHBOUR._replace(day=day)))
        db.session.execute(text("update ingested_days set state = 'final'"))
        db.session.commit()
    return app


@pytest.fixture(scope="module")
def broken_valkey() -> Valkey:
    """Give a Valkey that `start_pipeline` starts."""
    return Valkey()


StartPipeline = Callable[..., Pipeline]


@pytest.fixture(scope="module")
def start_pipeline(
    broken_app: Flask,
    broken_valkey: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StartPipeline]:
    """Give a starter of Valkey, worker and beat; it takes variables, and words for the worker."""
    folder = tmp_path_factory.mktemp("pipeline")
    servers = {
        "DATABASE_URL": broken_app.config["DATABASE_URL"],
        "REDIS_URL": broken_valkey.url,
        "SCHEDULE_SECONDS": "1",
    }
    with contextlib.ExitStack() as stack:

        def start(*words: str, **environ: str) -> Pipeline:
            worker = Celery(folder / "worker.log", servers | environ, *WORKER, *words)
            beat = Celery(folder / "beat.log", servers | environ, "beat")
            stack.enter_context(running(broken_valkey, worker, beat))
            return Pipeline(broken_app, worker)

        yield start
