"""Packages beside each other, as numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import comparison
from pypistats.comparison import ComparedRow, Mode
from pypistats.series import Grid

DAYS = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
DOWNLOADS = {
    "flask": {"2026-03-01": 10, "2026-03-02": 20, "2026-03-04": 40},
    "other": {"2026-03-02": 60, "2026-03-03": 5, "2026-03-04": 60},
}
LOADED = {"2026-03-01", "2026-03-02", "2026-03-04"}


def compared(mode: Mode = Mode.ABSOLUTE, *, first: str = DAYS[0], smooth: int = 1) -> Grid:
    return comparison.compare(
        DOWNLOADS, days=DAYS, first=first, loaded=LOADED, mode=mode, smooth=smooth
    )


@pytest.mark.parametrize(
    ("mode", "flask", "other"),
    [
        (Mode.ABSOLUTE, [10, 20, None, 40], [0, 60, None, 60]),
        (Mode.SHARE, [100, 25, None, 40], [0, 75, None, 60]),
        (Mode.INDEXED, [100, 200, None, 400], [0, 100, None, 100]),
    ],
)
def test_a_day_has_downloads_or_percents_and_nothing_where_it_is_not_loaded(
    mode: Mode, flask: list[float | None], other: list[float | None]
) -> None:
    assert compared(mode) == Grid(DAYS, {"flask": flask, "other": other})


def test_means_take_in_the_days_before_the_first_that_is_shown() -> None:
    assert compared(first=DAYS[1], smooth=2) == Grid(
        DAYS[1:], {"flask": [15, None, 40], "other": [30, None, 60]}
    )


def test_the_index_begins_with_the_first_day_that_is_shown() -> None:
    assert compared(Mode.INDEXED, first=DAYS[1]).columns["flask"] == [100, None, 200]


def test_a_package_without_downloads_has_no_index() -> None:
    grid = comparison.compare(
        {"flask": {}}, days=DAYS, first=DAYS[0], loaded=LOADED, mode=Mode.INDEXED
    )

    assert grid.columns == {"flask": [None, None, None, None]}


def test_the_table_has_the_largest_first_and_counts_loaded_days() -> None:
    assert comparison.table(DOWNLOADS, DAYS, LOADED) == [
        ComparedRow("other", 120, 40, 120 / 190),
        ComparedRow("flask", 70, 70 / 3, 70 / 190),
    ]
    assert comparison.table({"flask": {}}, DAYS, LOADED) == [ComparedRow("flask", 0, 0, 0)]
    assert comparison.table({"flask": {}}, [], set()) == [ComparedRow("flask", 0, 0, 0)]


COUNTS = st.dictionaries(st.sampled_from(DAYS), st.integers(1, 10**9))


@given(st.dictionaries(st.sampled_from(["a", "b", "null", "other"]), COUNTS, min_size=1))
def test_the_shares_of_a_day_make_up_the_whole(downloads: dict[str, dict[str, int]]) -> None:
    grid = comparison.compare(downloads, days=DAYS, first=DAYS[0], loaded=LOADED, mode=Mode.SHARE)

    assert list(grid.columns) == list(downloads)
    for values in zip(*grid.columns.values(), strict=True):
        shares = [value for value in values if value is not None]
        assert not shares or sum(shares) == pytest.approx(100, abs=0.01) or not any(shares)
