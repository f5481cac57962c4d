"""A source as PyPI's table is over a quarter: days come late, by halves, twice; and it fails.

What it has of a day changes with the time. The truth is what it has in the end.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from pypistats.catalog import PackageDay
from pypistats.clock import Clock
from pypistats.sources import FetchCost, SourceError
from tests.fixed_source import package_day

FIRST = dt.date(2026, 1, 1)
LAST = dt.date(2026, 3, 31)

BYTES_A_DOWNLOAD = 48

_HOUR = dt.timedelta(hours=1)
_WEEK = (1.0, 1.05, 1.06, 1.04, 0.95, 0.65, 0.6)

FATES: dict[str, tuple[tuple[float, float], ...]] = {
    "as usual": ((0.5, 1),),
    "slow": ((1, 0.3), (4, 0.6), (5, 0.7), (6, 0.9), (8, 1)),
    "later than noon": ((1, 0.4), (20, 1)),
    "days late": ((90, 1),),
    "a half day": ((1, 0.5), (30, 1)),
    "a fifth comes late": ((1, 0.82), (30, 1)),
    "doubled": ((0.5, 2), (38, 1)),
}
"""From so many hours after its end, a day has such a share of its downloads."""

_ODD = {dt.date(2026, 1, 1): 0.4, dt.date(2026, 2, 17): 0.5, dt.date(2026, 3, 11): 1.9}
"""Days that truly have far fewer or more downloads than usual."""

OUTAGES = (
    (dt.datetime(2026, 1, 20, 2, tzinfo=dt.UTC), 11 * _HOUR),
    (dt.datetime(2026, 2, 9, 5, tzinfo=dt.UTC), 60 * _HOUR),
    (dt.datetime(2026, 3, 19, 3, 30, tzinfo=dt.UTC), 5 * _HOUR),
)


class Spent(NamedTuple):
    """What was asked of the source: queries, their bytes, and dry runs, which are free."""

    queries: int
    bytes: int
    looks: int


class SimulatedSource:
    """Gives what the source has by its clock; counts what is asked."""

    name = "simulated"

    def __init__(self, clock: Clock, *, seed: int) -> None:
        random = Random(seed)
        self.cost = FetchCost()
        self.spent = Spent(0, 0, 0)
        self._clock = clock
        days = [FIRST + dt.timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
        odds = [20, 3, 2, 2, 2, 2, 2]
        self.fates = {day: random.choices(tuple(FATES), odds)[0] for day in days}
        self._sizes = {day: random.uniform(0.92, 1.08) for day in days}

    def truth(self, day: dt.date) -> list[PackageDay]:
        """Return the rows that a day has in the end."""
        return self._rows(day, 1)

    def least(self) -> Spent:
        """Return what is asked by one who knows when each day is whole."""
        whole = [_bytes(self.truth(day)) for day in self.fates]
        return Spent(len(whole), sum(whole), 0)

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int:
        self._fail_in_outages()
        self.spent = self.spent._replace(looks=self.spent.looks + 1)
        return _bytes(self._now(since))

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        self._fail_in_outages()
        rows = self._now(since)
        self.cost = FetchCost(_bytes(rows), _bytes(rows), "job")
        self.spent = Spent(
            self.spent.queries + 1, self.spent.bytes + _bytes(rows), self.spent.looks
        )
        yield from rows

    def _fail_in_outages(self) -> None:
        now = self._clock()
        if any(begin <= now < begin + length for begin, length in OUTAGES):
            raise SourceError("the source is down")

    def _now(self, day: dt.date) -> list[PackageDay]:
        if day not in self.fates:
            return []
        end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
        hours = (self._clock() - end) / _HOUR
        shares = [share for since, share in FATES[self.fates[day]] if hours >= since]
        return self._rows(day, shares[-1]) if shares else []

    def _rows(self, day: dt.date, share: float) -> list[PackageDay]:
        size = _WEEK[day.weekday()] * self._sizes[day] * _ODD.get(day, 1) * share
        return [
            package_day(name, day, downloads=max(1, int(share_of_all * size)))
            for name, share_of_all in (("flask", 30_000), ("rare", 40), ("requests", 120_000))
        ]


def _bytes(rows: list[PackageDay]) -> int:
    return sum(row.with_mirrors for row in rows) * BYTES_A_DOWNLOAD
