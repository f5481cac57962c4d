"""Some packages are fetched in the way that is billed least: one by one, or by a whole day."""

import datetime as dt
from collections.abc import Iterator, Sequence

import pytest

from pypistats.catalog import PackageDay
from pypistats.sources import DownloadSource, FetchCost, SourceError
from pypistats.sources.packages import PackagesSource
from tests.fixed_source import DAY, FixedSource, package_day

ROWS = [package_day(name) for name in ("flask", "requests", "numpy")]
NAMES = ["flask", "requests"]


class RecordingSource(FixedSource):
    """Keeps what it was asked for; a whole day has a thousand bytes."""

    def __init__(self, *rows: PackageDay, fail_after: int | None = None) -> None:
        super().__init__(*rows, fail_after=fail_after)
        self.bytes_there = 1_000
        self.asked: list[Sequence[str] | None] = []

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        self.asked.append(packages)
        return super().fetch(since, until, packages)


@pytest.mark.parametrize(
    ("package_day_bytes", "asked", "billed"),
    [
        (499, [["flask"], ["requests"]], 2_000),
        (500, [["flask"], ["requests"]], 2_000),
        (501, [None], 1_000),
        (None, [NAMES], 1_000),
    ],
)
def test_the_cheaper_way_is_taken(
    package_day_bytes: int | None, asked: list[Sequence[str] | None], billed: int
) -> None:
    inner = RecordingSource(*ROWS)
    source: DownloadSource = PackagesSource(inner, package_day_bytes=package_day_bytes)

    rows = list(source.fetch(DAY, DAY, NAMES))

    assert rows == ROWS[:2]
    assert inner.asked == asked
    assert source.cost.bytes_billed == billed


def test_a_later_look_compares_with_a_whole_days_dry_run() -> None:
    source = PackagesSource(RecordingSource(*ROWS), package_day_bytes=1)

    list(source.fetch(DAY, DAY, NAMES))

    assert source.estimate(DAY, DAY) == 1_000
    assert source.cost == FetchCost(1_000, 2_000, "job-1")


def test_all_rows_are_there_before_the_first_is_given() -> None:
    source = PackagesSource(RecordingSource(*ROWS, fail_after=1), package_day_bytes=1)

    with pytest.raises(SourceError):
        source.fetch(DAY, DAY, NAMES)

    assert source.cost.bytes_billed == 1_000


def test_without_packages_it_gives_what_the_other_gives() -> None:
    inner = RecordingSource(*ROWS)

    assert list(PackagesSource(inner, package_day_bytes=1).fetch(DAY, DAY)) == ROWS
    assert inner.asked == [None]
