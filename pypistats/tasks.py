"""The Celery tasks, thin. A task's day is fixed when it is queued, and a failure raises.

Each may run twice, or at once with itself: the store's locks and the ledger let the work be done
once.
"""

import datetime as dt

from celery import shared_task
from flask import current_app

from pypistats import ingest, queries, schedule, store
from pypistats.sources import SourceError
from pypistats.sources.opening import open_source
from pypistats.workers import INGEST_SECONDS, MERCY_SECONDS


@shared_task(name="queue-due-days")
def queue_due_days() -> list[str]:
    """Queue an ingest for each day that is due; return the days.

    Beat runs this, not the ingest itself: a retry after midnight still fetches the day it was
    meant for, and a night that was missed is made up on the next one.
    """
    loaded = {row.day for row in queries.ledger()}
    days = [day.isoformat() for day in schedule.due_days(loaded, dt.datetime.now(dt.UTC))]
    for day in days:
        ingest_day.apply_async((day,), expires=current_app.config["SCHEDULE_SECONDS"])
    return days


@shared_task(
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
def ingest_day(day: str) -> int:
    """Ingest one day, given as YYYY-MM-DD, if it is still due; return how many packages it has."""
    date = dt.date.fromisoformat(day)
    with store.day_lock(date) as ours:
        if not ours or any(row.day == date for row in queries.ledger()):
            return 0
        config = current_app.config
        until = schedule.last_open_day(dt.datetime.now(dt.UTC))
        source = open_source(config["SOURCE"], config, until=until)
        return ingest.ingest_day(date, source)
