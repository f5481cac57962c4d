"""PRESENT: pure shaping of what `queries` returns into points, totals, tables and grids."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, NamedTuple

import orjson
from packaging.version import InvalidVersion, Version

from pypistats.catalog import (
    NULL,
    OTHER,
    WITH_MIRRORS,
    WITHOUT_MIRRORS,
    Counts,
    Dimension,
    Period,
)

STORED_COLUMNS: Mapping[Dimension, tuple[str, ...]] = {
    Dimension.OVERALL: (WITH_MIRRORS, WITHOUT_MIRRORS),
    Dimension.PYTHON_MAJOR: (Dimension.PYTHON_MINOR,),
    Dimension.PYTHON_MINOR: (Dimension.PYTHON_MINOR,),
    Dimension.SYSTEM: (Dimension.SYSTEM,),
    Dimension.INSTALLER: (Dimension.INSTALLER,),
    Dimension.VERSION: (Dimension.VERSION,),
}
"""The stored columns that each dimension is read from."""


RELEASE_GROUPS: Mapping[str, int] = {"each": 0, "major": 1, "minor": 2}
"""How releases can be grouped, and how many parts of their numbers a group shares."""


Values = list[float | None]
"""A value for each day, None where there is none to tell."""


class Grid(NamedTuple):
    """A series by category and day: `columns[category][i]` belongs to `days[i]`, an ISO date."""

    days: list[str]
    columns: dict[str, Values]


def counts_by_day(
    dimension: Dimension, stored: Sequence[tuple[Any, ...]]
) -> Sequence[tuple[str, Counts]]:
    """Return each day's downloads by category, from its ISO date and the `STORED_COLUMNS`."""
    match dimension:
        case Dimension.OVERALL:
            return [(day, {WITH_MIRRORS: both, WITHOUT_MIRRORS: one}) for day, both, one in stored]
        case Dimension.PYTHON_MAJOR:
            return [(day, python_major(python_minor)) for day, python_minor in stored]
        case _:
            return stored


def python_major(python_minor: Counts) -> Counts:
    """Sum the minor versions of Python under their major version; `null` stays as it is."""
    majors: dict[str, int] = {}
    for minor, downloads in python_minor.items():
        major = minor.partition(".")[0]
        # A Counter takes twice as long, for each of many days.
        majors[major] = majors.get(major, 0) + downloads
    return majors


def category_columns(
    dimension: Dimension, stored: Sequence[list[Any]]
) -> Mapping[str, Sequence[int]]:
    """Return each category's downloads day by day, 0 for none, from columns as they are stored."""
    if dimension is Dimension.OVERALL:
        return dict(zip(STORED_COLUMNS[dimension], stored, strict=True))
    (days,) = stored
    columns = {name: [counts.get(name, 0) for counts in days] for name in set().union(*days)}
    return _major_columns(columns) if dimension is Dimension.PYTHON_MAJOR else columns


def _major_columns(columns: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Sum the columns of Python's minor versions under their major version."""
    groups = defaultdict(list)
    for minor, downloads in columns.items():
        groups[minor.partition(".")[0]].append(downloads)
    return {major: list(map(sum, zip(*group, strict=True))) for major, group in groups.items()}


def points_json(
    dates: Sequence[str], columns: Mapping[str, Sequence[int]], category: str | None = None
) -> str:
    """Write the points of all categories, or of one, as a JSON list ordered by category and date.

    A point is `{"category":…,"date":…,"downloads":…}`. The ISO `dates` are those of the `columns`,
    `category` is compared without regard to case, and days without downloads give no point. The
    points of a category, which are hundreds, are put together as pieces of text, with orjson for
    the numbers, since an object for each point would take several times as long.
    """
    wanted = None if category is None else category.casefold()
    dated = [date + '","downloads":' for date in dates]
    runs = []
    for name in sorted(columns):
        downloads = [*filter(None, columns[name])]
        if downloads and (wanted is None or name.casefold() == wanted):
            head = f'{{"category":{orjson.dumps(name).decode()},"date":"'
            pieces = [f"}},{head}"] * (3 * len(downloads))
            pieces[0] = head
            pieces[1::3] = compress(dated, columns[name])
            pieces[2::3] = orjson.dumps(downloads)[1:-1].decode().split(",")
            runs.append("".join(pieces))
    return f"[{'},'.join(runs)}}}]" if runs else "[]"


def totals(days: Iterable[Counts]) -> dict[str, int]:
    """Sum the days by category, the largest first."""
    sums: defaultdict[str, int] = defaultdict(int)
    for counts in days:
        for name, downloads in counts.items():
            sums[name] += downloads
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


class PeriodBefore(NamedTuple):
    """The downloads in the period before a recent one, and how many days of both are loaded."""

    downloads: int
    days: int
    recent_days: int
    period: Period

    @property
    def is_whole(self) -> bool:
        """Tell whether no day of the two is missing."""
        return self.days == self.recent_days == self.period.days

    @property
    def comparable(self) -> float:
        """Return the downloads that its daily mean makes in as many days as the recent one has."""
        return self.downloads * self.recent_days / self.days


class ComparedDays(NamedTuple):
    """The loaded days before a recent period, as ISO dates, and how many of the period are."""

    before: Sequence[str]
    recent: int


def compared_days(loaded: Container[str], last_day: dt.date) -> dict[Period, ComparedDays | None]:
    """Return which days the recent periods are compared with: the 1, 7 and 30 days before them.

    It is None for a period that can't be compared, because more than half of the days of it or of
    the recent one are missing.
    """
    compared: dict[Period, ComparedDays | None] = {}
    for period in Period:
        days = day_range(last_day - dt.timedelta(days=2 * period.days - 1), last_day)
        before = [day for day in days[: period.days] if day in loaded]
        recent = sum(day in loaded for day in days[period.days :])
        enough = 2 * min(len(before), recent) >= period.days
        compared[period] = ComparedDays(before, recent) if enough else None
    return compared


def period_before(
    daily: Mapping[str, int], compared: Mapping[Period, ComparedDays | None]
) -> dict[Period, PeriodBefore | None]:
    """Return what the recent periods are compared with, None for one that can't be."""
    return {
        period: days
        and PeriodBefore(
            sum([daily.get(day, 0) for day in days.before]), len(days.before), days.recent, period
        )
        for period, days in compared.items()
    }


def grouped_days(days: Iterable[tuple[str, Counts]], group: str) -> list[tuple[str, Counts]]:
    """Group the releases of each day by a key of `RELEASE_GROUPS`."""
    parts = RELEASE_GROUPS[group]
    return [(day, grouped_releases(counts, parts) if parts else counts) for day, counts in days]


def grouped_releases(counts: Counts, parts: int) -> Counts:
    """Sum releases that share the first `parts` parts of their number, as 1.x or 1.2.x.

    What is no version, `other` and `null` among it, stays as it is.
    """
    groups: Counter[str] = Counter()
    for version, downloads in counts.items():
        groups[_release_group(version, parts)] += downloads
    return groups


def _release_group(version: str, parts: int) -> str:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return version
    epoch = f"{parsed.epoch}!" if parsed.epoch else ""
    shared = (*parsed.release, *[0] * parts)[:parts]
    return f"{epoch}{'.'.join(map(str, shared))}.x"


def day_runs(days: Iterable[str]) -> list[tuple[str, str]]:
    """Return the first and the last day of each run of ascending ISO dates without a gap."""
    runs: list[tuple[str, str]] = []
    for day in days:
        before = (dt.date.fromisoformat(day) - dt.timedelta(days=1)).isoformat()
        if runs and runs[-1][1] == before:
            runs[-1] = runs[-1][0], day
        else:
            runs.append((day, day))
    return runs


def day_range(first: dt.date, last: dt.date) -> list[str]:
    """Return the ISO dates from `first` to `last`, both inclusive; none when they are reversed."""
    return [
        (first + dt.timedelta(days=offset)).isoformat() for offset in range((last - first).days + 1)
    ]


def window(
    loaded: Collection[str], *, since: dt.date | None, until: dt.date | None, days: int | None
) -> tuple[dt.date, dt.date] | None:
    """Return the first and the last day to show, both loaded or between such; None for no day.

    `days` counts back from the last one; without it and `since` all loaded days are shown.
    """
    if not loaded:
        return None
    first, last = (dt.date.fromisoformat(day) for day in (min(loaded), max(loaded)))
    last = min(last, until or last)
    if days is not None:
        since = last - dt.timedelta(days=days - 1)
    first = max(first, since or first)
    return (first, last) if first <= last else None


def grid(
    dimension: Dimension,
    stored: Iterable[tuple[str, Counts]],
    *,
    days: Sequence[str],
    loaded: Container[str],
    category: str | None = None,
) -> Grid:
    """Lay the stored days of a series out on `days`; `category` is there even without downloads.

    A day that is not loaded has None. A category that a loaded day lacks has 0, unless the tail
    of that day was summed as `other`, and the category may be in it: then it has None.
    """
    by_day = dict(stored)
    counted = [by_day.get(day, {}) if day in loaded else None for day in days]
    names = dict.fromkeys(name for counts in counted if counts for name in counts)
    if category is not None:
        names[category] = None
    return Grid(
        list(days),
        {name: [_value(dimension, counts, name) for counts in counted] for name in names},
    )


def _value(dimension: Dimension, counts: Counts | None, name: str) -> float | None:
    if counts is None:
        return None
    missing = None if OTHER in counts and dimension is not Dimension.SYSTEM else 0
    return counts.get(name, missing)


def fold(grid: Grid, keep: int) -> Grid:
    """Keep the `keep` largest categories, and sum the rest as `other`, which never counts."""
    sums = {name: sum(filter(None, column)) for name, column in grid.columns.items()}
    largest = sorted(sums, key=lambda name: (name == OTHER, -sums[name], name))
    kept = {name: grid.columns[name] for name in largest[:keep] if name != OTHER}
    rest = [column for name, column in grid.columns.items() if name not in kept]
    return grid._replace(columns=kept | ({OTHER: _sums(rest)} if rest else {}))


def whole(grid: Grid) -> Values:
    """Return each day's downloads in all categories, which for mirrors is `with_mirrors`."""
    return grid.columns.get(WITH_MIRRORS) or _sums(list(grid.columns.values()))


def _sums(columns: Sequence[Values]) -> Values:
    """Add columns up, passing over None; a day that has nothing else is None."""
    return [
        None if all(value is None for value in values) else sum(value or 0 for value in values)
        for values in zip(*columns, strict=True)
    ]


def smooth(grid: Grid, window: int) -> Grid:
    """Put the mean of the loaded ones of the `window` days that end with a day in its place.

    So the means of all categories make up the mean of the whole: what may be in the tail counts
    as 0, but is None where all of the window is.
    """
    loaded = [total is not None for total in _sums(list(grid.columns.values()))]
    return grid._replace(
        columns={
            name: list(_trailing_means(column, loaded, window))
            for name, column in grid.columns.items()
        }
    )


def _trailing_means(column: Values, loaded: Sequence[bool], window: int) -> Iterator[float | None]:
    for end, here in enumerate(loaded, start=1):
        days = slice(max(0, end - window), end)
        known = [value for value in column[days] if value is not None]
        yield sum(known) / sum(loaded[days]) if here and known else None


def shares(grid: Grid, of: Sequence[float | None]) -> Grid:
    """Put percents of each day's value in `of` in place of downloads; a day of 0 has 0 percent."""
    return grid._replace(
        columns={
            name: [
                None if value is None or total is None else 100 * value / total if total else 0
                for value, total in zip(column, of, strict=True)
            ]
            for name, column in grid.columns.items()
        }
    )


def since(grid: Grid, first: str) -> Grid:
    """Leave out the days before `first`."""
    start = sum(day < first for day in grid.days)
    return Grid(grid.days[start:], {name: column[start:] for name, column in grid.columns.items()})


class Shape(NamedTuple):
    """What is made of a grid: how many days a mean is of, shares or not, all or one category."""

    smooth: int = 1
    share: bool = False
    category: str | None = None
    keep: int = 10


def shaped(grid: Grid, dimension: Dimension, shape: Shape) -> Grid:
    """Return the grid as it is shown: the largest categories or the one, in their order.

    Means come before shares, so that the shares of a day make up the whole.
    """
    folded = shape.category is None and dimension is not Dimension.OVERALL
    shown = fold(grid, shape.keep) if folded else grid
    if shape.smooth > 1:
        shown = smooth(shown, shape.smooth)
    if shape.share:
        shown = shares(shown, whole(shown))
    if shape.category is not None:
        shown = shown._replace(columns={shape.category: shown.columns[shape.category]})
    return rounded(arrange(shown, dimension))


def rounded(grid: Grid, digits: int = 4) -> Grid:
    """Round means and shares; whole numbers stay whole."""
    return grid._replace(
        columns={
            name: [value if value is None else round(value, digits) for value in column]
            for name, column in grid.columns.items()
        }
    )


def arrange(grid: Grid, dimension: Dimension) -> Grid:
    """Put versions in their order and other categories by size; `null` and `other` come last."""
    columns = grid.columns
    if dimension in (Dimension.PYTHON_MAJOR, Dimension.PYTHON_MINOR, Dimension.VERSION):
        names = sorted(columns, key=lambda name: (_version(name), name))
    else:
        names = sorted(columns, key=lambda name: (-sum(filter(None, columns[name])), name))
    names.sort(key=lambda name: (name == OTHER, name == NULL))
    return grid._replace(columns={name: columns[name] for name in names})


def _version(name: str) -> Version:
    """Read a version, or a group of releases such as 1.x; what is none comes before all others."""
    try:
        return Version(name.removesuffix(".x"))
    except InvalidVersion:
        return Version("0.dev0")
