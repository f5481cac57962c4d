"""The tasks: what beat queues exists, and work that is asked for twice is done once."""

import datetime as dt
import logging
from typing import Any

import pytest
from celery import Celery
from flask import Flask

from pypistats import create_app, ingest, queries, tasks
from pypistats.catalog import PackageDay
from pypistats.config import ConfigError
from pypistats.sources import SourceError
from pypistats.workers import LineFormatter
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

    assert named == {"queue-due-days", "purge-old-months", "queue-wants", "refresh-names"}
    assert named <= set(celery.tasks)


def test_every_task_has_a_name_of_its_own_an_end_and_is_not_lost_with_its_worker(
    celery: Celery[Any],
) -> None:
    ours = [task for name, task in celery.tasks.items() if not name.startswith("celery.")]

    assert sorted(task.name for task in ours) == [
        "ingest-day",
        "purge-old-months",
        "queue-due-days",
        "queue-wants",
        "refresh-names",
        "refresh-package-info",
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

    with pytest.raises(ConfigError, match="REDIS_URL is not set"):
        __import__("celery_worker")


def formatted(error: Exception) -> str:
    record = logging.LogRecord(
        "", logging.ERROR, "", 1, "task failed", None, (type(error), error, None)
    )
    return LineFormatter(logging.Formatter("%(message)s")).format(record)


def test_a_fault_of_the_outside_is_one_line_and_one_of_the_code_has_its_traceback() -> None:
    assert formatted(SourceError("BigQuery is away")) == "task failed"
    assert formatted(KeyError("day")) == "task failed\nKeyError: 'day'"
