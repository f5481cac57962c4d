"""QUERY: what is the same on every package's page, read once for a change of the data."""

import bisect
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flask import current_app

from pypistats import queries, reading, series
from pypistats.catalog import Period
from pypistats.queries import Revision
from pypistats.stored_package import StoredPackage, stored_package

_KEY = "site_facts"


class SiteFacts(NamedTuple):
    """The state of the data as a whole.

    `compared` are the days that the recent periods are compared with, `missing` and `suspect` runs
    of others, `months` the last months' downloads of the most downloaded packages, ascending.
    """

    status: queries.DataStatus
    first_day: dt.date | None
    marks: queries.DayMarks
    compared: Mapping[Period, series.ComparedDays | None]
    missing: list[tuple[str, str]]
    suspect: list[tuple[str, str]]
    months: Sequence[int]

    def rank(self, recent: queries.Recent) -> int | None:
        """Return a package's rank among all by the last month, None beyond `queries.RANKS`.

        What was not downloaded in that month has none.
        """
        ahead = len(self.months) - bisect.bisect_right(self.months, recent.last_month)
        # The sum over all packages is ahead of each, or equal to the only one.
        rank = max(ahead, 1)
        return rank if recent.last_month and rank <= queries.RANKS else None


def package_with_facts(package: str) -> tuple[StoredPackage, SiteFacts]:
    """Return a package and the state of the data, both of one moment.

    What is known of the state is used as long as the sum over all packages, which has the same
    days and ranks, is at the same revision. Raises PackageNotFoundError.
    """
    days = current_app.config["RETENTION_DAYS"]
    stored = stored_package(package, days=days)
    known: tuple[Revision, SiteFacts] | None = current_app.extensions.get(_KEY)
    if known is not None and known[0] == stored.sum_revision:
        return stored, known[1]
    with reading.snapshot():
        stored = stored_package(package, days=days)
        facts = _read()
    current_app.extensions[_KEY] = stored.sum_revision, facts
    return stored, facts


def _read() -> SiteFacts:
    status = queries.data_status()
    marks = queries.day_marks(days=current_app.config["RETENTION_DAYS"])
    first_day = queries.first_day()
    return SiteFacts(
        status,
        first_day,
        marks,
        _compared(status.last_day, marks),
        series.day_runs(marks.missing),
        series.day_runs(marks.suspect),
        queries.largest_months(),
    )


def _compared(
    last_day: dt.date | None, marks: queries.DayMarks
) -> dict[Period, series.ComparedDays | None]:
    """Return the days that the recent periods are compared with, none while nothing is loaded."""
    if last_day is None or marks.first is None:
        return {}
    shown = series.day_range(dt.date.fromisoformat(marks.first), last_day)
    return series.compared_days(set(shown).difference(marks.missing), last_day)
