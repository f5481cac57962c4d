"""A small line of daily values."""

from hypothesis import given
from hypothesis import strategies as st

from pypistats.sparkline import sparkline


def test_the_highest_value_is_at_the_top_and_zero_at_the_foot() -> None:
    drawn = sparkline([0, 50, 100], width=20, height=10)

    assert drawn.line == "M0,10L10,5L20,0"
    assert drawn.area == "M0,10L0,10L10,5L20,0L20,10Z"


def test_the_line_breaks_where_nothing_is_known() -> None:
    drawn = sparkline([1, 1, None, 1, 1], width=4, height=2)

    assert drawn.line == "M0,0L1,0M3,0L4,0"


def test_a_lone_value_is_a_dash() -> None:
    assert sparkline([None, 5, None], width=20, height=10).line == "M10,0L11,0"


def test_nothing_known_draws_nothing() -> None:
    assert sparkline([], width=20, height=10).line == ""
    assert sparkline([None, None], width=20, height=10).area == ""
    assert sparkline([0, 0], width=20, height=10).line == "M0,10L20,10"


@given(st.lists(st.none() | st.integers(0, 10**13), max_size=200))
def test_the_line_stays_in_its_box(values: list[int | None]) -> None:
    drawn = sparkline(values, width=300, height=60)

    for point in drawn.line.replace("M", "L").split("L")[1:]:
        x, y = map(float, point.split(","))
        assert 0 <= x <= 301
        assert 0 <= y <= 60
