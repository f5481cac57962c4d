"""Shaping of stored days into points, totals, tables and grids."""

import datetime as dt
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import series
from pypistats.catalog import Dimension, Period
from pypistats.series import Grid, PeriodBefore, Shape

COUNTS = st.dictionaries(
    st.sampled_from(["2.7", "3.9", "3.10", "3.100", "null", "other"]),
    st.integers(min_value=1, max_value=10**12),
)


def points(days: list[tuple[str, dict[str, int]]], category: str | None = None) -> list[tuple]:
    """Return the points as tuples, and see that they are written as JSON is elsewhere."""
    dates = [date for date, _ in days]
    columns = series.category_columns(Dimension.SYSTEM, [[counts for _, counts in days]])
    written = series.points_json(dates, columns, category)
    read = orjson.loads(written)
    assert written == orjson.dumps(read).decode()
    assert all(list(point) == ["category", "date", "downloads"] for point in read)
    return [tuple(point.values()) for point in read]


def test_points_are_ordered_by_category_and_date() -> None:
    days = [("2026-03-01", {"b": 1, "a": 2}), ("2026-03-02", {"a": 3})]

    assert points(days) == [("a", "2026-03-01", 2), ("a", "2026-03-02", 3), ("b", "2026-03-01", 1)]


def test_a_category_is_found_in_any_case() -> None:
    days = [("2026-03-01", {"Linux": 1, "Windows": 2})]

    assert points(days, "lInUx") == [("Linux", "2026-03-01", 1)]


def test_a_day_without_downloads_has_no_point() -> None:
    days = [("2026-03-01", {"with_mirrors": 3, "without_mirrors": 0})]

    assert points(days) == [("with_mirrors", "2026-03-01", 3)]
    assert points([]) == points(days, "other") == []


@given(st.lists(st.dictionaries(st.text(), st.integers(min_value=1, max_value=2**62)), max_size=4))
def test_a_category_may_have_any_name(days: list[dict[str, int]]) -> None:
    dated = [(f"2026-03-{n:02}", counts) for n, counts in enumerate(days, start=1)]

    assert points(dated) == sorted(
        (name, date, downloads) for date, counts in dated for name, downloads in counts.items()
    )


def test_major_versions_sum_their_minor_ones() -> None:
    minor = {"3.9": 1, "3.100": 2, "2.7": 4, "null": 8, "other": 16}

    assert series.python_major(minor) == {"3": 3, "2": 4, "null": 8, "other": 16}


def test_columns_of_days_have_zero_where_a_category_is_missing() -> None:
    days = [{"3.9": 1, "3.100": 2, "null": 8}, {"2.7": 4, "3.9": 5}]

    assert series.category_columns(Dimension.PYTHON_MINOR, [days]) == {
        "2.7": [0, 4],
        "3.9": [1, 5],
        "3.100": [2, 0],
        "null": [8, 0],
    }
    assert series.category_columns(Dimension.PYTHON_MAJOR, [days]) == {
        "2": [0, 4],
        "3": [3, 5],
        "null": [8, 0],
    }


def test_columns_with_and_without_mirrors_are_the_stored_ones() -> None:
    assert series.category_columns(Dimension.OVERALL, [[3, 4], [2, 0]]) == {
        "with_mirrors": [3, 4],
        "without_mirrors": [2, 0],
    }


@pytest.mark.parametrize("dimension", [*Dimension])
def test_a_package_without_days_has_no_points(dimension: Dimension) -> None:
    stored: list[list[int]] = [[] for _ in series.STORED_COLUMNS[dimension]]

    assert series.points_json([], series.category_columns(dimension, stored)) == "[]"


def test_totals_have_the_largest_first() -> None:
    assert list(series.totals([{"a": 1, "b": 2}, {"b": 1, "c": 3}]).items()) == [
        ("b", 3),
        ("c", 3),
        ("a", 1),
    ]


@given(st.lists(COUNTS, max_size=6))
def test_nothing_is_lost_or_counted_twice(days: list[dict[str, int]]) -> None:
    whole = sum(sum(counts.values()) for counts in days)
    dated = [(f"2026-03-{n:02}", counts) for n, counts in enumerate(days, start=1)]

    assert sum(series.totals(days).values()) == whole
    assert sum(series.python_major(series.totals(days)).values()) == whole
    assert sum(downloads for *_, downloads in points(dated)) == whole


def test_every_dimension_has_columns_to_be_read_from() -> None:
    assert set(series.STORED_COLUMNS) == set(Dimension)


def test_a_range_of_days_has_both_its_ends() -> None:
    assert series.day_range(dt.date(2026, 2, 27), dt.date(2026, 3, 1)) == [
        "2026-02-27",
        "2026-02-28",
        "2026-03-01",
    ]
    assert series.day_range(dt.date(2026, 3, 2), dt.date(2026, 3, 1)) == []


LOADED = {"2026-03-01": False, "2026-03-02": False, "2026-03-05": True}


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({}, 1, 5),
        ({"days": 3}, 3, 5),
        ({"days": 90}, 1, 5),
        ({"since": dt.date(2026, 3, 2)}, 2, 5),
        ({"since": dt.date(2025, 1, 1), "until": dt.date(2026, 3, 4)}, 1, 4),
        ({"days": 2, "until": dt.date(2026, 3, 4)}, 3, 4),
        ({"until": dt.date(2027, 1, 1)}, 1, 5),
    ],
)
def test_a_window_lies_within_what_is_loaded(
    asked: dict[str, dt.date], first: int, last: int
) -> None:
    window = series.window(LOADED, **({"since": None, "until": None, "days": None} | asked))

    assert window == (dt.date(2026, 3, first), dt.date(2026, 3, last))


def test_a_window_outside_of_what_is_loaded_has_no_day() -> None:
    day = dt.date(2026, 3, 6)

    assert series.window(LOADED, since=day, until=None, days=None) is None
    assert series.window({}, since=None, until=day, days=30) is None


DAYS = ["2026-03-01", "2026-03-02", "2026-03-03"]


def test_a_grid_tells_a_day_that_is_not_loaded_from_one_without_downloads() -> None:
    stored = [("2026-03-01", {"Linux": 3, "other": 1}), ("2026-03-02", {"Linux": 9})]

    grid = series.grid(Dimension.SYSTEM, stored, days=DAYS, loaded={DAYS[0], DAYS[2]})

    assert grid == Grid(DAYS, {"Linux": [3, None, 0], "other": [1, None, 0]})


def test_a_category_that_may_be_in_the_tail_has_no_value() -> None:
    stored = [("2026-03-01", {"1.0": 3, "1.1": 2}), ("2026-03-02", {"1.1": 4, "other": 5})]

    grid = series.grid(Dimension.VERSION, stored, days=DAYS, loaded=DAYS)

    assert grid.columns == {"1.0": [3, None, 0], "1.1": [2, 4, 0], "other": [0, 5, 0]}


def test_folding_keeps_the_largest_and_sums_the_rest_with_other() -> None:
    grid = Grid(
        DAYS, {"other": [9, None, 9], "a": [1, None, 1], "b": [5, None, None], "c": [0, None, 3]}
    )

    assert series.fold(grid, 2).columns == {
        "b": [5, None, None],
        "c": [0, None, 3],
        "other": [10, None, 10],
    }


def test_few_categories_are_not_folded() -> None:
    grid = Grid(DAYS, {"a": [1, None, 1], "b": [2, None, 2]})

    assert series.fold(grid, 2) == Grid(DAYS, {"b": [2, None, 2], "a": [1, None, 1]})


def test_smoothing_is_the_mean_of_the_days_before_that_are_there() -> None:
    grid = Grid(DAYS, {"a": [4, None, 8]})

    assert series.smooth(grid, 2).columns == {"a": [4, None, 8]}
    assert series.smooth(grid, 3).columns == {"a": [4, None, 6]}


def test_a_category_that_may_be_in_the_tail_counts_as_none_of_it_in_a_mean() -> None:
    grid = Grid(DAYS, {"a": [None, 4, None], "other": [6, 6, 6]})

    assert series.smooth(grid, 2).columns == {"a": [None, 2, 2], "other": [6, 6, 6]}


def test_shares_are_percents_of_the_day() -> None:
    grid = Grid(DAYS, {"a": [1, None, 0], "b": [3, None, 0]})

    assert series.shares(grid, series.whole(grid)).columns == {
        "a": [25, None, 0],
        "b": [75, None, 0],
    }


def test_the_whole_of_mirrors_is_counted_once() -> None:
    grid = Grid(DAYS, {"with_mirrors": [4, None, 5], "without_mirrors": [3, None, 5]})

    assert series.whole(grid) == [4, None, 5]


def test_days_before_the_first_are_left_out() -> None:
    assert series.since(Grid(DAYS, {"a": [1, 2, 3]}), "2026-03-02") == Grid(DAYS[1:], {"a": [2, 3]})


SHAPED = Grid(
    DAYS, {"3.9": [1, None, 2], "3.10": [2, None, 4], "null": [3, None, 2], "3.8": [0, None, 1]}
)


@pytest.mark.parametrize(
    ("shape", "columns"),
    [
        (
            Shape(keep=2),
            {"3.10": [2, None, 4], "null": [3, None, 2], "other": [1, None, 3]},
        ),
        (
            Shape(keep=2, share=True),
            {
                "3.10": [33.3333, None, 44.4444],
                "null": [50, None, 22.2222],
                "other": [16.6667, None, 33.3333],
            },
        ),
        (Shape(category="3.8"), {"3.8": [0, None, 1]}),
        (Shape(category="3.8", share=True, smooth=3), {"3.8": [0, None, 6.6667]}),
    ],
)
def test_a_grid_is_shaped_as_asked(shape: Shape, columns: dict[str, list[float]]) -> None:
    shaped = series.shaped(SHAPED, Dimension.PYTHON_MINOR, shape)

    assert shaped == Grid(DAYS, columns)
    assert list(shaped.columns) == list(columns)


def test_the_two_overall_categories_are_never_folded() -> None:
    grid = Grid(DAYS, {"with_mirrors": [3, 3, 3], "without_mirrors": [1, 2, 3]})

    assert series.shaped(grid, Dimension.OVERALL, Shape(keep=1)) == grid


def test_an_asked_category_is_there_without_downloads() -> None:
    grid = series.grid(Dimension.SYSTEM, [], days=DAYS, loaded=DAYS[:1], category="Darwin")

    assert grid == Grid(DAYS, {"Darwin": [0, None, None]})


@pytest.mark.parametrize(
    ("dimension", "order"),
    [
        (Dimension.PYTHON_MINOR, ["2.7", "3.9", "3.10", "3.100", "null", "other"]),
        (Dimension.SYSTEM, ["3.10", "3.9", "3.100", "2.7", "null", "other"]),
    ],
)
def test_versions_are_in_their_order_and_others_by_size(
    dimension: Dimension, order: list[str]
) -> None:
    sizes = {"other": 90, "null": 80, "3.10": 70, "3.9": 60, "3.100": 50, "2.7": 40}
    grid = Grid(DAYS[:1], {name: [size] for name, size in sizes.items()})

    assert list(series.arrange(grid, dimension).columns) == order


def test_what_is_no_version_comes_before_those_that_are() -> None:
    names = ["1.0", "0.1.dev5", "not a version", "2004d"]

    arranged = series.arrange(Grid([], {name: [] for name in names}), Dimension.VERSION)

    assert list(arranged.columns) == ["2004d", "not a version", "0.1.dev5", "1.0"]


GRIDS = st.integers(min_value=1, max_value=9).flatmap(
    lambda days: st.dictionaries(
        st.sampled_from(["1.0", "1.10", "1.9", "null", "other", "x"]),
        st.lists(
            st.none() | st.integers(min_value=0, max_value=10**12), min_size=days, max_size=days
        ),
        min_size=1,
    ).map(
        lambda columns: Grid(series.day_range(dt.date(2026, 3, 1), dt.date(2026, 3, days)), columns)
    )
)


@given(GRIDS, st.integers(min_value=0, max_value=7))
def test_folding_and_arranging_lose_nothing(grid: Grid, keep: int) -> None:
    folded = series.arrange(series.fold(grid, keep), Dimension.VERSION)

    assert series.whole(folded) == series.whole(grid)
    assert len(folded.columns) <= keep + 1


@given(GRIDS, st.integers(min_value=1, max_value=9))
def test_means_of_categories_make_up_the_mean_of_the_whole(grid: Grid, window: int) -> None:
    total = series.smooth(Grid(grid.days, {"a": series.whole(grid)}), window).columns["a"]

    assert series.whole(series.smooth(grid, window)) == [
        value if value is None else pytest.approx(value) for value in total
    ]


@given(GRIDS, st.integers(min_value=1, max_value=9))
def test_a_mean_is_there_on_loaded_days_and_not_over_the_largest(grid: Grid, window: int) -> None:
    means = series.smooth(grid, window)

    for name, column in grid.columns.items():
        for value, mean, total in zip(column, means.columns[name], series.whole(grid), strict=True):
            assert value is None or mean is not None
            assert mean is None or total is not None
            assert mean is None or 0 <= mean <= max(filter(None, column), default=0)
    assert series.smooth(grid, 1) == grid


@given(GRIDS)
def test_shares_make_up_the_whole(grid: Grid) -> None:
    total = series.whole(grid)

    for share, downloads in zip(series.whole(series.shares(grid, total)), total, strict=True):
        if downloads is None:
            assert share is None
        else:
            assert share == pytest.approx(100 if downloads else 0)


LAST = dt.date(2026, 3, 15)
SIXTY_DAYS = series.day_range(LAST - dt.timedelta(days=59), LAST)


def before(*, missing: Iterable[int] = ()) -> dict[Period, tuple[int, int, int] | None]:
    """Return (downloads, days, recent days) of each period, where a day has as many downloads as
    its place, 1 to 60, and the days of the places in `missing` are not loaded."""
    daily = {day: place for place, day in enumerate(SIXTY_DAYS, 1) if place not in set(missing)}
    found = series.period_before(daily, series.compared_days(daily, LAST))
    return {period: each and each[:3] for period, each in found.items()}


@pytest.mark.parametrize(
    ("missing", "day", "week", "month"),
    [
        pytest.param([], (59, 1, 1), (350, 7, 7), (465, 30, 30), id="nothing is missing"),
        pytest.param([50], (59, 1, 1), (300, 6, 7), (465, 30, 29), id="a day before"),
        pytest.param([58], (59, 1, 1), (350, 7, 6), (465, 30, 29), id="a recent day"),
        pytest.param([59], None, (350, 7, 6), (465, 30, 29), id="the day before the last"),
        pytest.param(
            range(54, 57), (59, 1, 1), (350, 7, 4), (465, 30, 27), id="less than half of a week"
        ),
        pytest.param(range(54, 58), (59, 1, 1), None, (465, 30, 26), id="more than half of it"),
        pytest.param(
            range(1, 16), (59, 1, 1), (350, 7, 7), (345, 15, 30), id="half of the month before"
        ),
        pytest.param(range(1, 17), (59, 1, 1), (350, 7, 7), None, id="more than half of that"),
    ],
)
def test_a_period_is_compared_if_half_of_its_days_and_of_those_before_are_there(
    missing: Iterable[int],
    day: tuple[int, int, int] | None,
    week: tuple[int, int, int] | None,
    month: tuple[int, int, int] | None,
) -> None:
    assert before(missing=missing) == {Period.DAY: day, Period.WEEK: week, Period.MONTH: month}


@pytest.mark.parametrize(
    ("stored", "comparable", "is_whole"),
    [
        (PeriodBefore(700, 7, 7, Period.WEEK), 700, True),
        (PeriodBefore(600, 6, 7, Period.WEEK), 700, False),
        (PeriodBefore(700, 7, 4, Period.WEEK), 400, False),
        (PeriodBefore(500, 5, 5, Period.WEEK), 500, False),
    ],
)
def test_the_means_of_a_day_are_compared(
    stored: PeriodBefore, comparable: float, is_whole: bool
) -> None:
    assert (stored.comparable, stored.is_whole) == (comparable, is_whole)
