"""The Celery tasks, thin. A task's day is fixed when it is queued, and a failure raises.

Each may run twice, or at once with itself: `pipeline` lets the work be done once.
"""

import datetime as dt
import functools

from celery import Task, shared_task
from flask import current_app

from pypistats import (
    demand,
    month_order,
    pipeline,
    provision,
    queries,
    rankings,
    retention,
    schedule,
    store,
    supply,
    wants,
)
from pypistats.budget import DailyBudget, package_day_bytes
from pypistats.clock import utc_now
from pypistats.pypi_store import TooFewNamesError, replace_names, save_info
from pypistats.sources import BudgetError, DownloadSource, SourceError
from pypistats.sources.opening import open_source
from pypistats.sources.packages import PackagesSource
from pypistats.sources.pypi import PyPI
from pypistats.wants import Want
from pypistats.workers import INGEST_SECONDS, MERCY_SECONDS

WANTS_A_RUN = 50
"""Wants that one run queues again at most."""

NAMES_EVERY = dt.timedelta(days=1)
NAMES_AGAIN = dt.timedelta(minutes=10)
"""How often PyPI's list of names is loaded, and how soon again after that failed."""

ORDER_AGAIN = dt.timedelta(hours=1)
"""How soon a month is written in order again after that failed."""


@shared_task(name="queue-due-days")
def queue_due_days() -> list[str]:
    """Queue each day for which there is something to do; return the days.

    Beat runs this, not the ingest itself: a retry after midnight still fetches the day it was
    meant for, and a night that was missed is made up on the next one.
    """
    config = current_app.config
    if config["INGEST_SCOPE"] == "tracked" and not provision.tracked_names():
        return []
    days = [day.isoformat() for day in pipeline.due_days(days=config["RETENTION_DAYS"])]
    for day in days:
        ingest_day.apply_async((day,), expires=config["SCHEDULE_SECONDS"])
    return days


@shared_task(name="purge-old-months")
def purge_old_months() -> list[str]:
    """Drop the months that ended before the days that are kept; return their tables' names."""
    newest = queries.data_status().last_day
    if newest is None:
        return []
    kept = dt.timedelta(days=current_app.config["RETENTION_DAYS"] - 1)
    return retention.purge_before(newest - kept)


@shared_task(
    name="order-months",
    soft_time_limit=INGEST_SECONDS,
    time_limit=INGEST_SECONDS + MERCY_SECONDS,
)
def order_months() -> str | None:
    """Write one month in the order of packages; return its table's name.

    None if none was due. After a failure, or while something is in the way, it waits an hour.
    """
    name = month_order.first_unordered()
    if name is None:
        return None
    with store.transaction():
        if not wants.begin_chore("month-order", again=ORDER_AGAIN):
            return None
    if not month_order.order_month(name):
        return None
    with store.transaction():
        wants.finish_chore("month-order", every=dt.timedelta())
    return name


@shared_task(
    bind=True,
    name="ingest-day",
    autoretry_for=(SourceError,),
    # What is left of the budget does not grow before midnight, and has had its line in the log.
    dont_autoretry_for=(BudgetError,),
    throws=(BudgetError,),
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
    tracked = current_app.config["INGEST_SCOPE"] == "tracked"
    return pipeline.tend_day(
        dt.date.fromisoformat(day),
        _open_packages_source if tracked else _open_source,
        packages=provision.tracked_names() if tracked else None,
        retrying=self.request.retries > 0,
    )


@shared_task(name="fetch-package")
def fetch_package(package: str) -> int | None:
    """Fetch a package that a visitor asked for, unless it is there; return its days."""
    open_source = functools.partial(_open_source, hold_back=True)
    return supply.fetch_package(package, open_source, days=current_app.config["RETENTION_DAYS"])


def _open_source(*, hold_back: bool = False) -> DownloadSource:
    """Open the schedule's source. What a visitor asked for holds back for the day's own load."""
    config = current_app.config
    return open_source(
        config["SOURCE"],
        config,
        until=schedule.last_open_day(utc_now()),
        budget=DailyBudget(config["BIGQUERY_DAILY_BUDGET"], hold_back=hold_back),
    )


def _open_packages_source() -> DownloadSource:
    billed = current_app.config["SOURCE"] == "bigquery"
    return PackagesSource(_open_source(), package_day_bytes=package_day_bytes() if billed else None)


@shared_task(name="refresh-rankings")
def refresh_rankings() -> bool:
    """Make the lists of the most downloaded packages anew, if the data has changed since."""
    return rankings.refresh()


@shared_task(name="queue-wants")
def queue_wants() -> list[str]:
    """Queue what visitors asked for and no task has fetched; return the packages."""
    with store.transaction():
        listed = _listed_and_never_fetched()
        wants.add([Want(demand.PACKAGE, package) for package in listed], due_now=True)
        due = wants.take_due(WANTS_A_RUN)
    if due:
        demand.send(due)
    return [want.package for want in due]


def _listed_and_never_fetched() -> list[str]:
    config = current_app.config
    if config["INGEST_SCOPE"] == "all" or not config["TRACKED_FILE"]:
        return []
    return provision.never_fetched(config["TRACKED_FILE"], limit=WANTS_A_RUN)


@shared_task(name="refresh-package-info")
def refresh_package_info(package: str) -> str | None:
    """Ask PyPI about a package, unless it was asked lately; return its latest version."""
    checked_at = provision.info_checked_at(package)
    want = Want(demand.INFO, package)
    if checked_at is not None and utc_now() - checked_at < demand.INFO_AGE:
        with store.transaction():
            wants.finish(want)
        return None
    try:
        info = PyPI(current_app.config["PYPI_URL"]).fetch_project(package)
    except SourceError as error:
        with store.transaction():
            wants.fail(want, str(error))
        raise
    with store.transaction():
        save_info(package, info)
        wants.finish(want)
    return info and info.latest_version


@shared_task(name="refresh-names")
def refresh_names() -> int | None:
    """Load PyPI's list of names, once a day; return how many there are, None if it is not due."""
    with store.transaction():
        if not wants.begin_chore("names", again=NAMES_AGAIN):
            return None
    names = PyPI(current_app.config["PYPI_URL"]).fetch_names()
    with store.transaction():
        try:
            count = replace_names(names)
        except TooFewNamesError as error:
            raise SourceError(f"PyPI gave {error}") from error
        wants.finish_chore("names", every=NAMES_EVERY)
    return count
