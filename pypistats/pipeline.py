"""INGEST: does for a day what is due, once, however often and by whomever it is asked."""

import datetime as dt
import logging
from collections.abc import Callable, Sequence

from pypistats import ingest, ledger, queries, schedule, store
from pypistats.catalog import DayState
from pypistats.clock import Clock, utc_now
from pypistats.sources import DownloadSource, FetchCost

logger = logging.getLogger(__name__)

OpenSource = Callable[[], DownloadSource]


def due_days(*, days: int, clock: Clock = utc_now) -> list[dt.date]:
    """Return the days for which there is something to do, the newest first; `days` are kept."""
    with store.transaction():
        lost = ledger.mark_lost_days()
        for day in lost:
            logger.warning("%s was loaded, and its rows are gone from the store", day)
        if lost:
            store.bump_revision()
        return schedule.due_days(queries.ledger(), clock(), days=days)


def tend_day(
    day: dt.date,
    open_source: OpenSource,
    *,
    packages: Sequence[str] | None = None,
    retrying: bool = False,
    clock: Clock = utc_now,
) -> DayState | None:
    """Look at a day or fetch it, if that is due; return its state, None if nothing was due.

    While another worker has the day, that is left to it. A failure is written into the ledger
    and raised. One who has failed and is `retrying` does not wait for the pause that follows.
    `packages` limits it to these; None means all.
    """
    with store.day_lock(day) as ours:
        if not ours or not schedule.is_due(day, queries.ledger(), clock(), retrying=retrying):
            return None
        with store.transaction():
            ledger.record_start(day, clock())
        source = None
        try:
            source = open_source()
            return _look_and_fetch(day, source, packages, clock)
        except Exception as error:
            cost = FetchCost() if source is None else source.cost
            with store.transaction():
                ledger.record_failure(
                    day, _one_line(error), clock(), bytes_billed=cost.bytes_billed
                )
            raise


def _look_and_fetch(
    day: dt.date, source: DownloadSource, packages: Sequence[str] | None, clock: Clock
) -> DayState:
    seen = source.estimate(day, day)
    # Nothing stays locked while the source is read, so that a deploy can alter the tables.
    with store.transaction():
        known = queries.ledger()
    decision = schedule.decide(day, known, seen, clock())
    if decision.fetch:
        ingest.ingest_day(day, source, packages=packages, clock=clock)
        return queries.ledger()[day].state
    with store.transaction():
        ledger.record_look(
            day, decision.state, note=decision.note, seen=seen, failed=decision.failed, now=clock()
        )
        if decision.state is not known[day].state:
            store.bump_revision()
    level = logging.WARNING if decision.failed else logging.INFO
    logger.log(level, "%s is %s: %s", day, decision.state, decision.note)
    return decision.state


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
