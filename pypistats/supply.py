"""INGEST: one package's whole window, from a source to the store, for one who asked for it."""

import datetime as dt
import logging
from collections.abc import Callable, Collection, Sequence
from statistics import median
from typing import NamedTuple

from pypistats import ledger, provision, queries, schedule, store, tracked, wants
from pypistats.catalog import ALL_PACKAGES, DayState, LedgerDay, PackageDay
from pypistats.clock import Clock, utc_now
from pypistats.sources import BudgetError, DownloadSource, SourceError
from pypistats.wants import Want

logger = logging.getLogger(__name__)

DAYS_LOOKED_AT = 8
"""Days among which the newest complete one is looked for, while none is loaded."""

COMPLETE = 0.8
"""A day with a smaller share of what the others have is not complete yet."""

OpenSource = Callable[[], DownloadSource]


class _Window(NamedTuple):
    """The days that a package is fetched for; `figures` tells of some how much is there."""

    days: Sequence[dt.date]
    is_first: bool
    figures: dict[dt.date, int | None]


def fetch_package(
    package: str, open_source: OpenSource, *, days: int, clock: Clock = utc_now
) -> int | None:
    """Fetch a package's downloads of the newest `days` days, unless it has them.

    Returns how many days have some; None if there was nothing to do, or if another worker is at
    it. The days are those that are loaded: whatever else is loaded later has the package in it.
    A failure is noted, and raised.
    """
    want = Want("package", package)
    with store.package_lock(package) as ours:
        if not ours:
            return None
        if provision.supply(package).is_fresh:
            with store.transaction():
                wants.finish(want)
            return None
        try:
            source = open_source()
            window = _window(source, days, clock())
            rows = _fetch(source, package, window)
        except SourceError as error:
            with store.transaction():
                until = error.until if isinstance(error, BudgetError) else None
                wants.fail(want, str(error), until=until)
            raise
        with store.transaction():
            _store(package, rows, window, source=source, now=clock())
            wants.finish(want)
    logger.info("fetched %s from %s: %d days", package, source.name, len(rows))
    return len(rows)


def _fetch(source: DownloadSource, package: str, window: _Window) -> list[PackageDay]:
    """Return the rows of the days that are loaded."""
    loaded = set(window.days)
    found = source.fetch(min(window.days), max(window.days), [package])
    rows = {row.day: row for row in found if row.day in loaded}
    for row in rows.values():
        if row.package != package:
            raise SourceError(f"the source was asked for {package} and gave {row.package!r}")
    return list(rows.values())


def _window(source: DownloadSource, days: int, now: dt.datetime) -> _Window:
    """Return the days to fetch: those that are loaded, or all that there are while none is."""
    loaded = [row.day for row in queries.loaded_days()]
    if loaded:
        first = max(loaded) - dt.timedelta(days=days - 1)
        return _Window([day for day in loaded if day >= first], is_first=False, figures={})
    last = schedule.last_open_day(now)
    looked_at = [last - dt.timedelta(days=ago) for ago in range(DAYS_LOOKED_AT)]
    figures = {day: source.estimate(day, day) for day in looked_at}
    until = _newest_complete(figures)
    span = [until - dt.timedelta(days=ago) for ago in range(days)]
    return _Window(span, is_first=True, figures=figures)


def _newest_complete(figures: dict[dt.date, int | None]) -> dt.date:
    """Return the newest day of which about as much is there as of the others."""
    told = [figure for figure in figures.values() if figure is not None]
    if not told:
        return max(figures)
    usual = median(told)
    complete = [day for day, figure in figures.items() if (figure or 0) >= COMPLETE * usual > 0]
    if not complete:
        raise SourceError(f"the source has nothing for {min(figures)} to {max(figures)}")
    return max(complete)


def _store(
    package: str,
    rows: Sequence[PackageDay],
    window: _Window,
    *,
    source: DownloadSource,
    now: dt.datetime,
) -> None:
    """Write the rows with all that depends on them; the caller commits."""
    changed = tracked.replace_package(package, rows, window.days)
    loaded = {row.day for row in queries.loaded_days()}
    if window.is_first and not loaded:
        for day in window.days:
            ledger.record_load(_first_row(day, window, source, now))
        changed = list(window.days)
    tracked.refresh_sums(changed)
    tracked.refresh_counts(package)
    tracked.record_fetch(package, _complete_until(window, loaded), empty=not rows)
    if window.is_first:
        store.bump_revision()
    else:
        store.bump_revision([package, ALL_PACKAGES])


def _complete_until(window: _Window, loaded: Collection[dt.date]) -> dt.date:
    """Return the day up to which a package is whole: others may have been loaded meanwhile."""
    first, last = min(window.days), max(window.days)
    lacking = [day for day in set(loaded).difference(window.days) if first < day < last]
    return min(lacking) - dt.timedelta(days=1) if lacking else last


def _first_row(
    day: dt.date, window: _Window, source: DownloadSource, now: dt.datetime
) -> LedgerDay:
    """Return the row of a day that the first package is loaded with: old ones don't change."""
    recent = max(window.days) - day < schedule.LOOK_AGAIN
    return LedgerDay(
        day,
        DayState.LOADED if recent else DayState.FINAL,
        source=source.name,
        packages=0,
        downloads=0,
        dry_run_bytes=window.figures.get(day),
        loaded_at=now,
        changed_at=now,
        tried_at=now,
        note=None if recent else "older than two days when it was loaded",
    )
