"""PRESENT: several packages' daily downloads beside each other. Pure."""

from collections.abc import Container, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from pypistats import series
from pypistats.series import Grid, Values

MOST_PACKAGES = 10


class Mode(StrEnum):
    """What stands for a day: downloads, percents of the packages' sum, or of the first day."""

    ABSOLUTE = "absolute"
    SHARE = "share"
    INDEXED = "indexed"


MEASURES = {
    Mode.ABSOLUTE: None,
    Mode.SHARE: "Share of the downloads of these packages",
    Mode.INDEXED: "Daily downloads, the first day as 100",
}
"""What a chart says that it shows; None is downloads."""


class ComparedRow(NamedTuple):
    """A package's downloads in the shown days, their mean of a day, and its percent of all."""

    package: str
    downloads: int
    daily_mean: float
    share: float


def compare(
    downloads: Mapping[str, Mapping[str, int]],
    *,
    days: Sequence[str],
    first: str,
    loaded: Container[str],
    mode: Mode = Mode.ABSOLUTE,
    smooth: int = 1,
) -> Grid:
    """Lay the packages' downloads out on `days`, and show them from the day `first` on.

    The days before it are those that its mean is of. A day that is not loaded has None. Means come
    before percents, and the index begins with the first day on which a package has downloads.
    """
    grid = Grid(
        list(days),
        {
            package: [counts.get(day, 0) if day in loaded else None for day in days]
            for package, counts in downloads.items()
        },
    )
    shown = series.since(series.smooth(grid, smooth) if smooth > 1 else grid, first)
    if mode is Mode.SHARE:
        shown = series.shares(shown, series.whole(shown))
    elif mode is Mode.INDEXED:
        shown = shown._replace(
            columns={package: _indexed(values) for package, values in shown.columns.items()}
        )
    return series.rounded(shown)


def _indexed(values: Values) -> Values:
    base = next((value for value in values if value), None)
    return [None if value is None or base is None else 100 * value / base for value in values]


def table(
    downloads: Mapping[str, Mapping[str, int]], days: Sequence[str], loaded: Container[str]
) -> list[ComparedRow]:
    """Return the packages' sums over `days`, of which the loaded ones count, the largest first."""
    counted = [day for day in days if day in loaded]
    sums = {
        package: sum(counts.get(day, 0) for day in counted) for package, counts in downloads.items()
    }
    whole = sum(sums.values())
    rows = [
        ComparedRow(name, total, total / max(1, len(counted)), total / whole if whole else 0)
        for name, total in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row.downloads, row.package))
