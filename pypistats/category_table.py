"""PRESENT: how much each category of a series was downloaded in the recent periods. Pure."""

import bisect
import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pypistats.catalog import OTHER, WITH_MIRRORS, Counts, Period


class CategoryRow(NamedTuple):
    """A category's downloads in the recent periods and in all days; `share` is of all, 0 to 1."""

    category: str
    last_day: int
    last_week: int
    last_month: int
    total: int
    share: float


class PeriodSums(NamedTuple):
    """Downloads by category in the recent periods and in all days."""

    last_day: Counts
    last_week: Counts
    last_month: Counts
    total: Counts

    def grouped(self, group: Callable[[Counts], Counts]) -> "PeriodSums":
        """Sum the categories under others, as `group` does."""
        return PeriodSums(*map(group, self))


def period_starts(dates: Sequence[str], last_day: dt.date) -> list[int]:
    """Return where in ascending ISO `dates` each recent period begins, and all days do."""
    return [
        *(
            bisect.bisect_left(dates, (last_day - dt.timedelta(days=period.days - 1)).isoformat())
            for period in Period
        ),
        0,
    ]


def period_sums(days: Sequence[Counts], starts: Sequence[int]) -> PeriodSums:
    """Sum the days of a series by category, from each of its `period_starts` on.

    Each day is added up once: a period is the one before it and some days more.
    """
    running: defaultdict[str, int] = defaultdict(int)
    sums: list[Counts] = []
    for start, end in itertools.pairwise([len(days), *starts]):
        for counts in days[end:start]:
            for name, downloads in counts.items():
                running[name] += downloads
        sums.append(dict(running))
    return PeriodSums(*sums)


def overall_sums(days: Mapping[str, Sequence[int]], starts: Sequence[int]) -> PeriodSums:
    """Sum what is stored as a number for each day, as `period_sums` does."""
    return PeriodSums(
        *({name: sum(column[start:]) for name, column in days.items()} for start in starts)
    )


def table(sums: PeriodSums, *, rows: int) -> list[CategoryRow]:
    """Return the categories, the largest first, at most `rows` of them.

    Those beyond `rows` are summed as `other`. Shares are of the sum over all categories, or of
    `with_mirrors`, which holds `without_mirrors`, where the series has it.
    """
    whole = sums.total.get(WITH_MIRRORS) or sum(sums.total.values())
    day, week, month, total = sums if len(sums.total) <= rows else _folded(sums, rows)
    return [
        CategoryRow(
            name,
            day.get(name, 0),
            week.get(name, 0),
            month.get(name, 0),
            total[name],
            total[name] / whole,
        )
        for name in _largest_first(total)
        if total[name]
    ]


def _folded(sums: PeriodSums, rows: int) -> PeriodSums:
    """Sum the categories beyond the `rows` largest ones as `other`."""
    kept = set(_largest_first(sums.total)[:rows])

    def few(counts: Counts) -> Counts:
        folded: Counter[str] = Counter()
        for name, downloads in counts.items():
            folded[name if name in kept else OTHER] += downloads
        return folded

    return sums.grouped(few)


def _largest_first(counts: Counts) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))
