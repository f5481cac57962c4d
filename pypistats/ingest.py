"""INGEST: a day, from a source to the store, whole or not at all."""

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from pypistats import ledger, queries, schedule, store, tracked
from pypistats.catalog import DayState, LedgerDay, PackageDay, is_normal_name
from pypistats.clock import Clock, utc_now
from pypistats.sources import DownloadSource, SourceError

logger = logging.getLogger(__name__)

ROWS_A_REPORT = 10_000


class EmptyDayError(SourceError):
    """The source has no downloads at all for a day."""


def ingest_day(
    day: dt.date,
    source: DownloadSource,
    *,
    packages: Sequence[str] | None = None,
    report: Callable[[int], None] | None = None,
    clock: Clock = utc_now,
) -> int:
    """Replace what is stored for `day` by what `source` has; return how many packages the day has.

    One transaction holds the rows, their sum, the ledger, the recent counts, the totals and the
    data's next revision. `packages`, in normal form, limits it to these; None means all. `report`
    is told the number of rows read so far, every `ROWS_A_REPORT` rows. Raises SourceError, and
    EmptyDayError for a day without any rows: at this scale an empty day is a fault of the source.
    """
    rows = _checked(source.fetch(day, day, packages), day)
    with store.transaction():
        try:
            count = store.replace_day(day, _reported(rows, report), packages=packages)
        except store.RepeatedPackageError as error:
            raise SourceError(f"the source has a package twice on {day}: {error}") from error
        if not count and packages is None:
            raise EmptyDayError(f"the source has no downloads for {day}")
        downloads = store.add_sum(day, whole=packages is None)
        row = _ledger_row(day, source, packages=count, downloads=downloads, now=clock())
        if packages is not None:
            tracked.record_day(day, packages)
        ledger.record_load(row)
        store.refresh_counts(day)
        store.bump_revision()
    told = "" if row.note is None else f", {row.state}: {row.note}"
    logger.info("ingested %s from %s: %d packages%s", day, source.name, count, told)
    return count


def _ledger_row(
    day: dt.date, source: DownloadSource, *, packages: int, downloads: int, now: dt.datetime
) -> LedgerDay:
    known = queries.ledger()
    state, note = schedule.assess(day, known, downloads, now)
    if state is DayState.FINAL and note is None:
        note = "fetched again two days after its load, and the same"
    return LedgerDay(
        day,
        state,
        source=source.name,
        packages=packages,
        downloads=downloads,
        dry_run_bytes=source.cost.dry_run_bytes,
        bytes_billed=source.cost.bytes_billed,
        job_id=source.cost.job_id,
        loaded_at=now,
        changed_at=schedule.changed_at(known.get(day), downloads, now),
        tried_at=now,
        note=note,
    )


def _checked(rows: Iterable[PackageDay], day: dt.date) -> Iterator[PackageDay]:
    """Refuse what would corrupt the store: another day's row, or a name not in normal form."""
    for row in rows:
        if row.day != day:
            raise SourceError(f"the source was asked for {day} and gave {row.package} on {row.day}")
        if not is_normal_name(row.package):
            raise SourceError(f"the source gave {row.package!r}, which is no normal package name")
        yield row


def _reported(
    rows: Iterable[PackageDay], report: Callable[[int], None] | None
) -> Iterator[PackageDay]:
    for count, row in enumerate(rows, start=1):
        if report is not None and count % ROWS_A_REPORT == 0:
            report(count)
        yield row
