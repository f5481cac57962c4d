"""Shaping of stored days into points, totals and tables."""

from hypothesis import given
from hypothesis import strategies as st

from pypistats import series
from pypistats.catalog import Dimension, Period
from pypistats.series import CategoryRow, Point

COUNTS = st.dictionaries(
    st.sampled_from(["2.7", "3.9", "3.10", "3.100", "null", "other"]),
    st.integers(min_value=1, max_value=10**12),
)
STARTS = {Period.DAY: "2026-03-15", Period.WEEK: "2026-03-09", Period.MONTH: "2026-02-14"}


def test_points_are_ordered_by_category_and_date() -> None:
    days = [("2026-03-01", {"b": 1, "a": 2}), ("2026-03-02", {"a": 3})]

    assert series.points(days) == [
        Point("a", "2026-03-01", 2),
        Point("a", "2026-03-02", 3),
        Point("b", "2026-03-01", 1),
    ]


def test_a_category_is_found_in_any_case() -> None:
    days = [("2026-03-01", {"Linux": 1, "Windows": 2})]

    assert series.points(days, "lInUx") == [Point("Linux", "2026-03-01", 1)]


def test_a_day_without_downloads_has_no_point() -> None:
    days = [("2026-03-01", {"with_mirrors": 3, "without_mirrors": 0})]

    assert series.points(days) == [Point("with_mirrors", "2026-03-01", 3)]


def test_major_versions_sum_their_minor_ones() -> None:
    minor = {"3.9": 1, "3.100": 2, "2.7": 4, "null": 8, "other": 16}

    assert series.python_major(minor) == {"3": 3, "2": 4, "null": 8, "other": 16}


def test_totals_have_the_largest_first() -> None:
    assert list(series.totals([{"a": 1, "b": 2}, {"b": 1, "c": 3}]).items()) == [
        ("b", 3),
        ("c", 3),
        ("a", 1),
    ]


def test_a_table_counts_each_period_and_shares_of_all_days() -> None:
    days = [
        ("2026-02-13", {"a": 1_000}),
        ("2026-02-14", {"a": 100}),
        ("2026-03-09", {"a": 10, "b": 7}),
        ("2026-03-15", {"a": 1}),
    ]

    assert series.table(days, STARTS, rows=5) == [
        CategoryRow("a", 1, 11, 111, 1_111, 1_111 / 1_118),
        CategoryRow("b", 0, 7, 7, 7, 7 / 1_118),
    ]


def test_a_table_sums_what_it_has_no_row_for() -> None:
    days = [("2026-03-15", {"a": 5, "b": 4, "c": 2, "other": 1})]

    assert series.table(days, STARTS, rows=1) == [
        CategoryRow("other", 7, 7, 7, 7, 7 / 12),
        CategoryRow("a", 5, 5, 5, 5, 5 / 12),
    ]


def test_the_two_overall_categories_are_shares_of_the_larger_one() -> None:
    days = [("2026-03-15", {"with_mirrors": 10, "without_mirrors": 4})]

    assert [row.share for row in series.table(days, STARTS, rows=5)] == [1.0, 0.4]


def test_a_series_without_days_has_an_empty_table() -> None:
    assert series.table([], STARTS, rows=5) == []


@given(st.lists(COUNTS, max_size=6))
def test_nothing_is_lost_or_counted_twice(days: list[dict[str, int]]) -> None:
    whole = sum(sum(counts.values()) for counts in days)
    dated = [(f"2026-03-{n:02}", counts) for n, counts in enumerate(days, start=1)]

    assert sum(series.totals(days).values()) == whole
    assert sum(series.python_major(series.totals(days)).values()) == whole
    assert sum(point.downloads for point in series.points(dated)) == whole
    assert sum(row.total for row in series.table(dated, STARTS, rows=2)) == whole


def test_every_dimension_has_columns_to_be_read_from() -> None:
    assert set(series.STORED_COLUMNS) == set(Dimension)
