"""The Celery tasks, thin. A task's day is fixed when it is queued, and a failure raises.

Each may run twice, or at once with itself: `pipeline` lets the work be done once.
"""

import datetime as dt

from celery import Task, shared_task
from flask import current_app

from pypistats import pipeline, schedule
from pypistats.clock import utc_now
from pypistats.sources import DownloadSource, SourceError
from pypistats.sources.opening import open_source
from pypistats.workers import INGEST_SECONDS, MERCY_SECONDS


@shared_task(name="queue-due-days")
def queue_due_days() -> list[str]:
    """Queue each day for which there is something to do; return the days.

    Beat runs this, not the ingest itself: a retry after midnight still fetches the day it was
    meant for, and a night that was missed is made up on the next one.
    """
    config = current_app.config
    days = [day.isoformat() for day in pipeline.due_days(days=config["RETENTION_DAYS"])]
    for day in days:
        ingest_day.apply_async((day,), expires=config["SCHEDULE_SECONDS"])
    return days


@shared_task(
    bind=True,
    name="ingest-day",
    autoretry_for=(SourceError,),
    max_retries=5,
    retry_backoff=30,
    retry_backoff_max=240,
    retry_jitter=True,
    # A retry may come later than its first message had to.
    retry_kwargs={"expires": None},
    soft_time_limit=INGEST_SECONDS,
    time_limit=INGEST_SECONDS + MERCY_SECONDS,
)
def ingest_day(self: "Task[[str], str | None]", day: str) -> str | None:
    """Do what is due for one day, given as YYYY-MM-DD; return its state, None if nothing was."""
    config = current_app.config

    def source() -> DownloadSource:
        return open_source(config["SOURCE"], config, until=schedule.last_open_day(utc_now()))

    date = dt.date.fromisoformat(day)
    return pipeline.tend_day(date, source, retrying=self.request.retries > 0)
