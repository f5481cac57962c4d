"""How `worker` and `beat` run: their queue, their limits, beat's timetable and their log.

The queue is not trusted with anything: what has to be done stands in the ledger, and beat asks
for it again and again. A message that is lost costs a minute, and one that comes twice nothing.
"""

import logging
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
from celery.app.trace import LOG_RECEIVED, LOG_SUCCESS
from celery.exceptions import (
    CPendingDeprecationWarning,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
    WorkerLostError,
)
from celery.signals import after_setup_logger
from kombu import Queue
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from pypistats.messages import DAYS_QUEUE, WANTED, WANTS_QUEUE
from pypistats.sources import SourceError

TASK_SECONDS = 600
"""How long a task may take; those that need longer say so themselves."""

INGEST_SECONDS = 3_000
"""How long a day's ingest may take; BigQuery's own limits end it far sooner."""

MERCY_SECONDS = 60
"""How long after its time a task has to end by itself, before its process is killed."""

VISIBILITY_SECONDS = 2 * INGEST_SECONDS
"""After so long the queue takes a worker for lost and gives its messages to another."""

_ROUTINE = (
    LOG_RECEIVED,
    LOG_SUCCESS,
    "Discarding revoked task",
    "Scheduler: Sending due task",
)

FORESEEN = (SourceError, DBAPIError, psycopg2.Error, OSError, RedisError, SoftTimeLimitExceeded)
"""Errors of the outside, which one line tells. Others are the code's, and want a traceback."""


def celery_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return Celery's settings. Without a REDIS_URL nothing can be queued."""
    address = _address(config["REDIS_URL"]) if config["REDIS_URL"] else None
    return {
        "accept_content": ["json"],
        "beat_schedule": timetable(config),
        # It forgets all when it ends, which suits a timetable whose state is the ledger.
        "beat_scheduler": "celery.beat:Scheduler",
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            # The queues are read in this order, so that a day's load comes before what is wanted.
            "queue_order_strategy": "priority",
        },
        "broker_url": address,
        "imports": ["pypistats.tasks"],
        "result_backend": address,
        # While the server is started again, whoever has a result waits with it for a minute.
        "result_backend_always_retry": True,
        "result_backend_max_retries": 12,
        "result_expires": 24 * 3_600,
        "task_acks_late": True,
        "task_default_queue": DAYS_QUEUE,
        "task_queues": [Queue(DAYS_QUEUE), Queue(WANTS_QUEUE)],
        "task_reject_on_worker_lost": True,
        "task_routes": {name: {"queue": WANTS_QUEUE} for name in WANTED},
        "task_serializer": "json",
        "task_soft_time_limit": TASK_SECONDS,
        "task_time_limit": TASK_SECONDS + MERCY_SECONDS,
        "timezone": "UTC",
        # A task whose queue is restarted goes on; should its message come again, that is nothing.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_concurrency": config["WORKER_CONCURRENCY"],
        "worker_enable_prefetch_count_reduction": False,
        "worker_prefetch_multiplier": 1,
        "worker_redirect_stdouts": False,
    }


def timetable(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what beat queues, and when. A message that comes too late is dropped."""
    seconds = config["SCHEDULE_SECONDS"]
    tasks = []
    if config["SOURCE"] != "none":
        tasks += ["queue-due-days", "purge-old-months", "order-months", "refresh-rankings"]
    if config["PYPI_URL"] or config["INGEST_SCOPE"] == "tracked":
        tasks += ["queue-wants"]
    if config["PYPI_URL"]:
        tasks += ["refresh-names"]
    return {
        task: {"task": task, "schedule": seconds, "options": {"expires": seconds}} for task in tasks
    }


def _address(url: str) -> str:
    """Write REDIS_URL as Celery has it: TLS says what it checks, a socket has its own scheme."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in query:
        return f"{url}{'&' if parts.query else '?'}ssl_cert_reqs=required"
    if parts.scheme == "unix":
        database = query.get("db", ["0"])[0]
        return f"redis+socket://{parts.path}?virtual_host={database}"
    return url


@after_setup_logger.connect
def log_in_lines(logger: logging.Logger, **_arguments: object) -> None:
    """Make each fault of the outside one line of the log, and what is routine none."""
    # It is about what this app has decided: a task outlives the loss of its queue.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    for handler in logger.handlers:
        handler.setFormatter(LineFormatter(handler.formatter))
        handler.addFilter(is_news)


def is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line of the log says more than that the timetable is kept.

    A worker that has died is told by a line on its process; that of its task names no task.
    """
    if record.levelno <= logging.INFO:
        return not str(record.msg).startswith(_ROUTINE)
    return not isinstance(_error(record), (WorkerLostError, TimeLimitExceeded))


class LineFormatter(logging.Formatter):
    """Leaves the traceback out where the error is a foreseen one."""

    def __init__(self, wrapped: logging.Formatter | None) -> None:
        super().__init__()
        self._wrapped = wrapped or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, and the traceback below it if the error is the code's."""
        if isinstance(_error(record), FORESEEN):
            record.exc_info = record.exc_text = None
        text = self._wrapped.format(record)
        return text if record.exc_info else " ".join(text.split())


def _error(record: logging.LogRecord) -> BaseException | None:
    """Return the error that a record tells of, without what pools wrap it in."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return getattr(error, "exc", error)
