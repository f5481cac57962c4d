"""PRESENT: pure shaping of what `queries` returns into points, totals and tables."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pypistats.catalog import OTHER, WITH_MIRRORS, WITHOUT_MIRRORS, Counts, Dimension, Period

STORED_COLUMNS: Mapping[Dimension, tuple[str, ...]] = {
    Dimension.OVERALL: (WITH_MIRRORS, WITHOUT_MIRRORS),
    Dimension.PYTHON_MAJOR: (Dimension.PYTHON_MINOR,),
    Dimension.PYTHON_MINOR: (Dimension.PYTHON_MINOR,),
    Dimension.SYSTEM: (Dimension.SYSTEM,),
    Dimension.INSTALLER: (Dimension.INSTALLER,),
    Dimension.VERSION: (Dimension.VERSION,),
}
"""The stored columns that each dimension is read from."""


class Point(NamedTuple):
    """The downloads of one category on one day, an ISO date."""

    category: str
    date: str
    downloads: int


class CategoryRow(NamedTuple):
    """A category's downloads in the recent periods and in all days; `share` is of all, 0 to 1."""

    category: str
    last_day: int
    last_week: int
    last_month: int
    total: int
    share: float


def counts_of(dimension: Dimension, stored: Sequence[object]) -> Counts:
    """Return one day's downloads by category from the dimension's `STORED_COLUMNS`."""
    if dimension is Dimension.OVERALL:
        with_mirrors, without_mirrors = stored
        return {WITH_MIRRORS: with_mirrors, WITHOUT_MIRRORS: without_mirrors}  # type: ignore[dict-item]
    (counts,) = stored
    assert isinstance(counts, Mapping)
    return python_major(counts) if dimension is Dimension.PYTHON_MAJOR else counts


def python_major(python_minor: Counts) -> Counts:
    """Sum the minor versions of Python under their major version; `null` stays as it is."""
    majors: Counter[str] = Counter()
    for minor, downloads in python_minor.items():
        majors[minor.partition(".")[0]] += downloads
    return majors


def points(days: Iterable[tuple[str, Counts]], category: str | None = None) -> list[Point]:
    """Return the points of all categories, or of one, ordered by category and date.

    `category` is compared without regard to case. Days without downloads give no point.
    """
    wanted = None if category is None else category.casefold()
    found = [
        Point(name, date, downloads)
        for date, counts in days
        for name, downloads in counts.items()
        if downloads and (wanted is None or name.casefold() == wanted)
    ]
    return sorted(found)


def totals(days: Iterable[Counts]) -> dict[str, int]:
    """Sum the days by category, the largest first."""
    sums: Counter[str] = Counter()
    for counts in days:
        sums.update(counts)
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def table(
    days: Sequence[tuple[str, Counts]], starts: Mapping[Period, str], *, rows: int
) -> list[CategoryRow]:
    """Return the categories of a series, the largest first, at most `rows` of them.

    `starts` has the first ISO date of each recent period. The categories beyond `rows` are
    summed as `other`. Shares are of the sum over all categories, or of `with_mirrors`, which
    holds `without_mirrors`, where the series has it.
    """
    sums = totals(counts for _, counts in days)
    whole = sums.get(WITH_MIRRORS, sum(sums.values()))
    kept = set(list(sums)[:rows])
    folded = [(date, _fold(counts, kept)) for date, counts in days]
    day, week, month = (
        totals(counts for date, counts in folded if date >= starts[period]) for period in Period
    )
    return [
        CategoryRow(
            name, day.get(name, 0), week.get(name, 0), month.get(name, 0), total, total / whole
        )
        for name, total in totals(counts for _, counts in folded).items()
        if total
    ]


def _fold(counts: Counts, kept: set[str]) -> Counts:
    """Sum the categories that are not kept as `other`."""
    folded: Counter[str] = Counter()
    for name, downloads in counts.items():
        folded[name if name in kept else OTHER] += downloads
    return folded
