"""QUERY: what is the same on every package's page, read once for a change of the data."""

import bisect
import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from flask import current_app

from pypistats import queries, series

_KEY = "site_facts"


class SiteFacts(NamedTuple):
    """The state of the data as a whole.

    `loaded` are the ISO dates of the loaded days that are shown, `missing` and `suspect` runs of
    others, `months` the last months' downloads of the most downloaded packages, ascending.
    """

    status: queries.DataStatus
    first_day: dt.date | None
    marks: queries.DayMarks
    loaded: frozenset[str]
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


def site_facts() -> SiteFacts:
    """Return the state of the data in the snapshot that the caller reads in.

    What is known of it is used as long as the snapshot has the same revision.
    """
    revision = queries.sum_revision()
    known: tuple[queries.Revision, SiteFacts] | None = current_app.extensions.get(_KEY)
    if known is None or known[0] != revision:
        known = current_app.extensions[_KEY] = revision, _read()
    return known[1]


def _read() -> SiteFacts:
    status = queries.data_status()
    marks = queries.day_marks(days=current_app.config["RETENTION_DAYS"])
    first_day = queries.first_day()
    loaded: set[str] = set()
    if status.last_day and marks.first:
        first = dt.date.fromisoformat(marks.first)
        loaded = set(series.day_range(first, status.last_day)).difference(marks.missing)
    return SiteFacts(
        status,
        first_day,
        marks,
        frozenset(loaded),
        series.day_runs(marks.missing),
        series.day_runs(marks.suspect),
        queries.largest_months(),
    )
