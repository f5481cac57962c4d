"""The tables of a package: each category's downloads in the recent periods and in all days."""

import datetime as dt
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from pypistats import category_table, series
from pypistats.category_table import CategoryRow, PeriodSums

LAST_DAY = dt.date(2026, 3, 15)
FIRST_DAYS = {
    "last_day": "2026-03-15",
    "last_week": "2026-03-09",
    "last_month": "2026-02-14",
    "total": "2025-01-01",
}
DAYS = st.dictionaries(
    st.dates(LAST_DAY - dt.timedelta(days=40), LAST_DAY).map(dt.date.isoformat),
    st.dictionaries(
        st.sampled_from(["2.7", "3.9", "3.10", "3.100", "null", "other"]),
        st.integers(min_value=0, max_value=10**12),
    ),
)


def sums_of(days: Mapping[str, Mapping[str, int]]) -> PeriodSums:
    dates = sorted(days)
    starts = category_table.period_starts(dates, LAST_DAY)
    return category_table.period_sums([days[date] for date in dates], starts)


def test_a_table_counts_each_period_and_shares_of_all_days() -> None:
    sums = sums_of(
        {
            "2026-02-13": {"a": 1_000},
            "2026-02-14": {"a": 100},
            "2026-03-09": {"a": 10, "b": 7},
            "2026-03-15": {"a": 1},
        }
    )

    assert category_table.table(sums, rows=5) == [
        CategoryRow("a", 1, 11, 111, 1_111, 1_111 / 1_118),
        CategoryRow("b", 0, 7, 7, 7, 7 / 1_118),
    ]


def test_a_table_sums_what_it_has_no_row_for() -> None:
    sums = sums_of({"2026-03-15": {"a": 5, "b": 4, "c": 2, "other": 1}})

    assert category_table.table(sums, rows=1) == [
        CategoryRow("other", 7, 7, 7, 7, 7 / 12),
        CategoryRow("a", 5, 5, 5, 5, 5 / 12),
    ]


def test_the_two_overall_categories_are_shares_of_the_larger_one() -> None:
    days = {"with_mirrors": [6, 10], "without_mirrors": [0, 4]}
    starts = category_table.period_starts(["2026-03-14", "2026-03-15"], LAST_DAY)

    sums = category_table.overall_sums(days, starts)

    assert category_table.table(sums, rows=5) == [
        CategoryRow("with_mirrors", 10, 16, 16, 16, 1.0),
        CategoryRow("without_mirrors", 4, 4, 4, 4, 0.25),
    ]


def test_a_series_without_days_or_downloads_has_an_empty_table() -> None:
    assert category_table.table(sums_of({}), rows=5) == []
    assert category_table.table(sums_of({"2026-03-15": {"a": 0}}), rows=5) == []


@given(DAYS)
def test_each_period_has_the_sums_of_its_days(days: dict[str, dict[str, int]]) -> None:
    sums = sums_of(days)

    for period, first in FIRST_DAYS.items():
        inside = [counts for date, counts in days.items() if date >= first]
        assert getattr(sums, period) == series.totals(inside)


@given(DAYS)
def test_sums_by_major_version_are_those_of_major_versions_by_day(
    days: dict[str, dict[str, int]],
) -> None:
    by_day = {date: series.python_major(counts) for date, counts in days.items()}

    assert sums_of(days).grouped(series.python_major) == sums_of(by_day)


@given(DAYS)
def test_a_table_loses_nothing_and_counts_nothing_twice(days: dict[str, dict[str, int]]) -> None:
    table = category_table.table(sums_of(days), rows=2)

    for period, first in FIRST_DAYS.items():
        whole = sum(sum(counts.values()) for date, counts in days.items() if date >= first)
        assert sum(getattr(row, period) for row in table) == whole
