"""Which releases a chart marks, and where their texts are."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import charts, releases, series
from pypistats.catalog import Dimension
from pypistats.chart_room import Size
from pypistats.charts import Chart, Figure, Kind
from pypistats.palette import COLORS, Theme
from pypistats.releases import Release, releases_to_mark
from pypistats.series import Grid

FIRST, LAST = "2026-01-01", "2026-06-29"
DAYS = series.day_range(dt.date.fromisoformat(FIRST), dt.date.fromisoformat(LAST))


def released(*versions: str, first: str = FIRST, step: int = 1) -> dict[str, dt.date]:
    """Return releases, so many days apart."""
    day = dt.date.fromisoformat(first)
    return {
        version: day + dt.timedelta(days=place * step) for place, version in enumerate(versions)
    }


def versions(known: dict[str, dt.date]) -> list[str]:
    return [each.version for each in releases_to_mark(known, FIRST, LAST)]


def test_releases_in_the_range_are_marked_in_order_of_day() -> None:
    known = {
        "1.1": dt.date(2026, 6, 29),
        "1.0": dt.date(2026, 1, 1),
        "1.2": dt.date(2026, 6, 30),
        "0.9": dt.date(2025, 12, 31),
        "1.0.1": dt.date(2026, 3, 1),
    }

    assert releases_to_mark(known, FIRST, LAST) == [
        Release("1.0", "2026-01-01"),
        Release("1.0.1", "2026-03-01"),
        Release("1.1", "2026-06-29"),
    ]


def test_what_comes_before_a_final_release_is_not_marked() -> None:
    assert versions(released("2.0.dev1", "2.0a1", "2.0rc1", "2.0", "2.0.post1", "<b>", "")) == [
        "2.0",
        "2.0.post1",
    ]


@pytest.mark.parametrize(
    ("known", "marked"),
    [
        pytest.param(
            released(*(f"1.{minor}.{patch}" for minor in range(3) for patch in range(9))),
            ["1.0.0", "1.1.0", "1.2.0"],
            id="minor",
        ),
        pytest.param(
            released(*(f"{major}.{minor}" for major in range(3) for minor in range(20))),
            ["0.0", "1.0", "2.0"],
            id="major",
        ),
        pytest.param(
            released(*(f"7.{minor}" for minor in range(1, 40))),
            [f"7.{minor}" for minor in range(28, 40)],
            id="newest",
        ),
    ],
)
def test_many_releases_are_thinned(known: dict[str, dt.date], marked: list[str]) -> None:
    assert versions(known) == marked


NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4)


@given(st.dictionaries(NUMBERS.map(lambda parts: ".".join(map(str, parts))), st.integers(-9, 190)))
def test_there_are_never_many_and_never_none_of_some(ago: dict[str, int]) -> None:
    last = dt.date.fromisoformat(LAST)
    known = {version: last - dt.timedelta(days=days) for version, days in ago.items()}
    inside = [version for version, day in known.items() if FIRST <= str(day) <= LAST]

    marked = versions(known)

    assert set(marked) <= set(inside)
    assert bool(marked) == bool(inside)
    assert len(marked) == len(inside) or len(marked) <= releases.MOST


def figure(*marked: Release, theme: Theme = Theme.LIGHT, kind: Kind = Kind.LINE) -> Figure:
    grid = Grid(DAYS, {"with_mirrors": [5.0] * len(DAYS), "without_mirrors": [3.0] * len(DAYS)})
    chart = Chart("flask", Dimension.OVERALL, grid, kind=kind, released=marked)
    return charts.figure(chart, theme=theme, size=Size(1200, 600))


@pytest.mark.parametrize("theme", Theme)
@pytest.mark.parametrize("kind", Kind)
def test_a_release_is_a_line_with_its_name_on_its_day(theme: Theme, kind: Kind) -> None:
    marked = figure(
        Release("1.0", "2026-01-20"), Release("<i>", "2026-03-01"), theme=theme, kind=kind
    )

    marks = marked["data"][-1]
    assert (marks["name"], marks["yaxis"]) == ("Releases", "y2")
    assert marks["x"] == ["2026-01-20", "2026-01-20", None, "2026-03-01", "2026-03-01", None]
    assert marks["y"] == [0, 1, None] * 2
    assert marks["text"] == ["", "1.0", "", "", "&lt;i&gt;", ""]
    assert marks["hovertemplate"] == "%{customdata} released %{x|%-d %b %Y}<extra></extra>"
    assert set(marks["customdata"]) == {"1.0", "&lt;i&gt;"}
    assert marks["line"]["color"] == marks["textfont"]["color"] == COLORS[theme].quiet
    assert marked["layout"]["yaxis2"]["range"] == [0, 1]


def test_a_name_over_a_newer_one_is_left_out() -> None:
    near = figure(*(Release(f"1.{n}.0", f"2026-06-{10 + n}") for n in range(9)))["data"][-1]
    apart = figure(*(Release(f"1.{n}.0", f"2026-0{1 + n}-01") for n in range(6)))["data"][-1]

    assert [text for text in near["text"] if text] == ["1.1.0", "1.8.0"]
    assert [text for text in apart["text"] if text] == [f"1.{n}.0" for n in range(6)]
    assert len(near["x"]) == 27


def test_names_at_the_sides_stay_inside() -> None:
    ends = figure(*(Release("10.20.30", day) for day in (FIRST, "2026-03-01", LAST)))["data"][-1]

    assert ends["textposition"][1::3] == ["top right", "top center", "top left"]
    assert ends["text"][1::3] == ["10.20.30"] * 3


def test_a_chart_without_releases_has_no_second_axis() -> None:
    plain = figure()

    assert [each["name"] for each in plain["data"]] == ["with mirrors", "without mirrors"]
    assert "yaxis2" not in plain["layout"]
