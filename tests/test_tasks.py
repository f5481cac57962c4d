"""The tasks: what beat queues exists, and work that is asked for twice is done once."""

import datetime as dt
import logging
from typing import Any

import pytest
from billiard.einfo import ExceptionWithTraceback
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded, WorkerLostError
from flask import Flask
from sqlalchemy import text

from pypistats import create_app, ingest, month_order, queries, tasks
from pypistats.catalog import PackageDay
from pypistats.extensions import db
from pypistats.sources import BudgetError, SourceError
from pypistats.workers import LineFormatter, is_news
from tests.fixed_source import DAY, FixedSource, package_day

URL = {"DATABASE_URL": "postgresql://user:secret@host/name"}


@pytest.fixture
def celery(app: Flask) -> Celery[Any]:
    found: Celery[Any] = app.extensions["celery"]
    found.loader.import_default_modules()
    return found


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> FixedSource:
    """Put a source of one package in the place of the schedule's."""
    source = FixedSource(package_day("flask"))
    monkeypatch.setattr(tasks, "open_source", lambda *_, **__: source)
    return source


def stored(app: Flask) -> list[PackageDay]:
    with app.app_context():
        return list(queries.stored_days(DAY, DAY))


def test_every_entry_of_the_timetable_names_a_task(celery: Celery[Any]) -> None:
    named = {entry["task"] for entry in celery.conf.beat_schedule.values()}

    assert named == {
        "queue-due-days",
        "order-months",
        "purge-old-months",
        "queue-wants",
        "refresh-names",
        "refresh-rankings",
    }
    assert named <= set(celery.tasks)


def test_every_task_has_a_name_of_its_own_an_end_and_is_not_lost_with_its_worker(
    celery: Celery[Any],
) -> None:
    ours = [task for name, task in celery.tasks.items() if not name.startswith("celery.")]

    assert sorted(task.name for task in ours) == [
        "fetch-package",
        "ingest-day",
        "order-months",
        "purge-old-months",
        "queue-due-days",
        "queue-wants",
        "refresh-names",
        "refresh-package-info",
        "refresh-rankings",
    ]
    for task in ours:
        limit = task.time_limit or celery.conf.task_time_limit
        soft_limit = task.soft_time_limit or celery.conf.task_soft_time_limit
        assert soft_limit < limit < celery.conf.broker_transport_options["visibility_timeout"]
        assert task.acks_late
        assert task.reject_on_worker_lost


def test_without_a_source_nothing_is_queued() -> None:
    app = create_app(URL | {"SOURCE": "none", "PYPI_URL": "none"})

    assert app.extensions["celery"].conf.beat_schedule == {}


def test_a_day_is_ingested_once(celery: Celery[Any], app: Flask, source: FixedSource) -> None:
    ingest_day = celery.tasks["ingest-day"]

    assert ingest_day(DAY.isoformat()) == "loaded"
    source.rows = (package_day("requests"),)
    assert ingest_day(DAY.isoformat()) is None

    assert stored(app) == [package_day("flask")]


def test_a_failure_of_the_source_raises(celery: Celery[Any], source: FixedSource) -> None:
    source.fail_after = 1

    with pytest.raises(SourceError, match="broke off"):
        celery.tasks["ingest-day"](DAY.isoformat())


def test_old_months_are_purged_by_what_is_kept(celery: Celery[Any], app: Flask) -> None:
    purge = celery.tasks["purge-old-months"]
    assert purge() == []
    with app.app_context():
        for day in (DAY - dt.timedelta(days=200), DAY - dt.timedelta(days=179), DAY):
            ingest.ingest_day(day, FixedSource(package_day("flask", day)))

    assert purge() == ["daily_2025_08"]
    assert purge() == []


def test_months_are_written_in_order_one_after_the_other(
    celery: Celery[Any], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(month_order, "SCATTERED_DAYS", 1)
    order = celery.tasks["order-months"]
    assert order() is None
    with app.app_context():
        for day in (DAY - dt.timedelta(days=60), DAY - dt.timedelta(days=30), DAY):
            ingest.ingest_day(day, FixedSource(package_day("flask", day)))

    assert [order() for _ in range(4)] == ["daily_2026_01", "daily_2026_02", "daily_2026_03", None]


def test_a_month_that_could_not_be_written_in_order_waits(
    celery: Celery[Any], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = celery.tasks["order-months"]
    monkeypatch.setattr(month_order, "SCATTERED_DAYS", 1)
    with app.app_context():
        day = DAY - dt.timedelta(days=30)
        ingest.ingest_day(day, FixedSource(package_day("flask", day)))
    with monkeypatch.context() as patch:
        patch.setattr(month_order, "order_month", lambda _: False)
        assert order() is None

    assert order() is None
    with app.app_context():
        db.session.execute(text("update chores set due_at = now()"))
        db.session.commit()
    assert order() == "daily_2026_02"


@pytest.mark.usefixtures("source")
def test_lists_are_made_once_for_what_was_loaded(celery: Celery[Any]) -> None:
    refresh = celery.tasks["refresh-rankings"]
    celery.tasks["ingest-day"](DAY.isoformat())

    assert refresh() is True
    assert refresh() is False


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("redis://:p@host:6379/0", "redis://:p@host:6379/0"),
        ("rediss://:p@host:6379/0", "rediss://:p@host:6379/0?ssl_cert_reqs=required"),
        ("rediss://host?ssl_cert_reqs=none", "rediss://host?ssl_cert_reqs=none"),
        ("unix:///run/valkey.sock?db=2", "redis+socket:///run/valkey.sock?virtual_host=2"),
    ],
)
def test_an_address_is_written_as_celery_has_it(address: str, written: str) -> None:
    conf = create_app(URL | {"REDIS_URL": address}).extensions["celery"].conf

    assert (conf.broker_url, conf.result_backend) == (written, written)


def test_a_worker_without_a_queue_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL["DATABASE_URL"])
    monkeypatch.delenv("REDIS_URL", raising=False)

    with pytest.raises(SystemExit, match="REDIS_URL is not set"):
        __import__("celery_worker")


def record(error: Exception, level: int = logging.ERROR) -> logging.LogRecord:
    told = (type(error), error, None)
    return logging.LogRecord("", level, "", 1, "task failed", None, told)


@pytest.mark.parametrize(
    "error", [SourceError("BigQuery is away"), ConnectionError(), SoftTimeLimitExceeded()]
)
def test_a_fault_of_the_outside_is_one_line(error: Exception) -> None:
    assert is_news(record(error))
    assert LineFormatter(None).format(record(error)) == "task failed"
    told = logging.LogRecord("", logging.ERROR, "", 1, "no queue.\n  Trying again", None, None)
    assert LineFormatter(None).format(told) == "no queue. Trying again"


def test_a_fault_of_the_code_has_its_traceback() -> None:
    assert LineFormatter(None).format(record(KeyError("day"))) == "task failed\nKeyError: 'day'"


def test_a_worker_that_has_died_is_told_once() -> None:
    wrapped = ExceptionWithTraceback(WorkerLostError(), None)

    assert not is_news(record(wrapped))


def test_what_is_routine_is_not_logged() -> None:
    def line(message: str) -> logging.LogRecord:
        return logging.LogRecord("", logging.INFO, "", 1, message, None, None)

    assert not is_news(line("Task %(name)s[%(id)s] succeeded in %(runtime)ss: %(return_value)s"))
    assert is_news(line("ingested %s from %s: %d packages%s"))


def test_an_empty_budget_is_not_tried_again_at_once(
    celery: Celery[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BudgetError("nothing is left")

    monkeypatch.setattr(tasks, "open_source", refuse)

    result = celery.tasks["ingest-day"].apply((DAY.isoformat(),))

    assert (result.state, result.result.args) == ("FAILURE", ("nothing is left",))


def test_a_fault_of_the_source_is_tried_again_five_times(
    celery: Celery[Any], app: Flask, source: FixedSource
) -> None:
    source.fail_after = 1

    result = celery.tasks["ingest-day"].apply((DAY.isoformat(),))

    assert (result.state, str(result.result)) == ("FAILURE", "the source broke off")
    with app.app_context():
        assert queries.ledger()[DAY].attempts == 6
