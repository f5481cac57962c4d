"""Figures, as plotly.js gets them."""

import datetime as dt
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import charts, series
from pypistats.catalog import Dimension
from pypistats.chart_room import Size
from pypistats.charts import Chart, Figure, Kind
from pypistats.palette import Theme
from pypistats.series import Grid

DAYS = series.day_range(dt.date(2026, 1, 1), dt.date(2026, 3, 31))
README = Size(1200, 600)
SMALL = Size(400, 300)


def chart(columns: dict[str, list[float | None]], **asked: Any) -> Chart:
    """Make a chart whose columns are repeated over `DAYS`."""
    full = {name: (values * len(DAYS))[: len(DAYS)] for name, values in columns.items()}
    given: dict[str, Any] = {"package": "requests", "dimension": Dimension.SYSTEM}
    return Chart(**(given | {"grid": Grid(DAYS, full)} | asked))


def drawn(shown: Chart, theme: Theme = Theme.LIGHT, size: Size = README) -> Figure:
    return charts.figure(shown, theme=theme, size=size)


def ticks(figure: Figure) -> list[str]:
    return [text.strip() for text in figure["layout"]["yaxis"]["ticktext"]]


def test_a_line_has_every_day_and_a_gap_for_a_missing_one() -> None:
    *_, trace = drawn(chart({"Linux": [3, None, 5]}))["data"]

    assert trace["x"] == DAYS
    assert trace["y"] == ([3, None, 5] * 30)
    assert (trace["type"], trace["connectgaps"]) == ("scatter", False)


def test_one_series_is_filled_but_for_its_gaps() -> None:
    days = DAYS[:5]
    area, line = drawn(chart({}, grid=Grid(days, {"Linux": [3, 4, None, 5, 6]})))["data"]

    assert line["y"] == [3, 4, None, 5, 6]
    assert list(zip(area["x"], area["y"], strict=True)) == [
        (days[0], 0),
        (days[0], 3),
        (days[1], 4),
        (days[1], 0),
        (days[3], 0),
        (days[3], 5),
        (days[4], 6),
        (days[4], 0),
    ]
    assert (area["fill"], area["mode"], area["showlegend"]) == ("tozeroy", "none", False)


def test_several_series_are_not_filled() -> None:
    figure = drawn(chart({"Linux": [3], "null": [1]}))

    assert [trace["mode"] for trace in figure["data"]] == ["lines", "lines"]


def test_a_day_between_gaps_is_marked_for_want_of_a_line() -> None:
    lonely = drawn(
        chart(
            {"Linux": [None, 4, None, 5, 6]}, grid=Grid(DAYS[:5], {"Linux": [None, 4, None, 5, 6]})
        )
    )["data"][-1]

    assert lonely["mode"] == "lines+markers"
    assert [size > 0 for size in lonely["marker"]["size"]] == [False, True, False, False, False]
    assert drawn(chart({"Linux": [1]}))["data"][-1]["mode"] == "lines"


@pytest.mark.parametrize(
    ("dimension", "mode"),
    [
        (Dimension.OVERALL, "overlay"),
        (Dimension.SYSTEM, "stack"),
        (Dimension.VERSION, "stack"),
    ],
)
def test_bars_are_stacked_but_for_overall(dimension: Dimension, mode: str) -> None:
    figure = drawn(chart({"a": [2], "b": [1]}, dimension=dimension, kind=Kind.BAR))

    assert {trace["type"] for trace in figure["data"]} == {"bar"}
    assert figure["layout"]["barmode"] == mode


def test_the_axis_reaches_over_the_stack_and_not_over_what_overlaps() -> None:
    columns: dict[str, list[float | None]] = {"with_mirrors": [40], "without_mirrors": [30]}
    stacked = chart(columns, kind=Kind.BAR)

    assert drawn(stacked)["layout"]["yaxis"]["range"] == [0, 80]
    for overlapping in (
        stacked._replace(dimension=Dimension.OVERALL),
        stacked._replace(kind=Kind.LINE),
    ):
        assert drawn(overlapping)["layout"]["yaxis"]["range"] == [0, 40]


@pytest.mark.parametrize(
    ("peak", "texts"),
    [
        (0, ["0", "1", "2", "3", "4"]),
        (1, ["0", "1"]),
        (7, ["0", "2", "4", "6", "8"]),
        (12, ["0", "5", "10", "15"]),
        (4_100, ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
        (12_000, ["0", "2.5K", "5K", "7.5K", "10K", "12.5K"]),
        (1_200_000, ["0", "250K", "500K", "750K", "1M", "1.25M"]),
        (2_700_000_000, ["0", "1B", "2B", "3B"]),
    ],
)
def test_ticks_are_round_whole_and_short(peak: int, texts: list[str]) -> None:
    assert ticks(drawn(chart({"Linux": [peak]}))) == texts


def test_rounded_shares_do_not_reach_over_the_whole() -> None:
    columns: dict[str, list[float | None]] = {"a": [66.6667], "b": [33.3334]}

    assert ticks(drawn(chart(columns, share=True, kind=Kind.BAR)))[-1] == "100%"


def test_ticks_of_shares_are_percents() -> None:
    assert ticks(drawn(chart({"Linux": [100.0]}, share=True)))[-1] == "100%"
    assert ticks(drawn(chart({"Linux": [0.4]}, share=True))) == [
        "0%", "0.1%", "0.2%", "0.3%", "0.4%",
    ]  # fmt: skip


@given(st.floats(min_value=0, max_value=1e13))
def test_ticks_reach_over_any_peak_with_few_steps(peak: float) -> None:
    for share in (True, False):
        axis = drawn(chart({"Linux": [peak]}, share=share))["layout"]["yaxis"]

        assert axis["range"][1] >= (min(peak, 100) if share else peak) * (1 - 1e-8)
        assert 2 <= len(axis["tickvals"]) <= 7
        assert len(set(ticks(drawn(chart({"Linux": [peak]}, share=share))))) == len(
            axis["tickvals"]
        )


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ({}, "requests: daily downloads by system, without mirrors"),
        (
            {"dimension": Dimension.OVERALL},
            "requests: daily downloads, with and without mirrors",
        ),
        (
            {"dimension": Dimension.OVERALL, "category": "with_mirrors"},
            "requests: daily downloads, with mirrors",
        ),
        (
            {"dimension": Dimension.OVERALL, "category": "without_mirrors"},
            "requests: daily downloads, without mirrors",
        ),
        (
            {"dimension": Dimension.INSTALLER, "package": "__all__"},
            "All packages: daily downloads by installer, with mirrors",
        ),
        (
            {"category": "Darwin", "share": True},
            "requests: share of daily downloads on Darwin (macOS), without mirrors",
        ),
        (
            {"dimension": Dimension.PYTHON_MINOR, "category": "3.12", "smooth": 7},
            "requests: daily downloads (7-day mean) with Python 3.12, without mirrors",
        ),
        ({"title": "Mine"}, "Mine"),
    ],
)
def test_a_title_says_what_is_counted(asked: dict[str, Any], title: str) -> None:
    assert charts.title(chart({}, **asked)) == title


class _Markup(HTMLParser):
    """Collects the tags and the lines of a text as plotly.js would take them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.lines = [""]

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "br":
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        self.lines[-1] += data


def read(text: str) -> _Markup:
    markup = _Markup()
    markup.feed(text)
    markup.close()
    return markup


def test_a_picture_has_a_heading_and_a_line_with_the_last_day() -> None:
    title = drawn(chart({"Linux": [1]}))["layout"]["title"]

    assert title["font"]["weight"] == 700
    assert read(title["text"]).lines == [
        "requests",
        "Daily downloads by system, without mirrors · to 31 March 2026",
    ]


TEXT = st.text() | st.sampled_from(["<b>x</b>", "&lt;", "$x$", "a\nb", "\u202ex", "日本語" * 60])


@given(TEXT, st.sampled_from([README, SMALL]))
def test_no_text_becomes_markup_or_a_second_line(text: str, size: Size) -> None:
    figure = drawn(chart({text: [1], "b": [1]}, title=text or None), size=size)
    markup = read(figure["layout"]["title"]["text"])

    assert markup.tags == ["br", "span"]
    assert len(markup.lines[0]) <= 120
    for trace in figure["data"]:
        name = read(trace["name"])
        assert name.tags == []
        assert "$" not in trace["name"]
        assert len(name.lines[0]) <= 40
        assert not set("\n\r\u202e") & set(name.lines[0])


def test_a_long_name_is_whole_in_a_readme_and_cut_in_a_small_picture() -> None:
    long = chart({"Linux": [1]}, package="x" * 77)

    assert read(drawn(long)["layout"]["title"]["text"]).lines[0] == "x" * 77
    small = read(drawn(long, size=SMALL)["layout"]["title"]["text"]).lines[0]
    assert small.endswith("x…")
    assert len(small) < 60


def test_suspect_days_are_shaded_and_said_to_be() -> None:
    layout = drawn(chart({"Linux": [1]}, suspects=frozenset({DAYS[3], "2020-01-01"})))["layout"]

    (shape,) = layout["shapes"]
    assert (shape["x0"], shape["x1"]) == ("2026-01-03 12:00", "2026-01-04 12:00")
    assert [note["text"] for note in layout["annotations"]] == ["Shaded: counts that look wrong"]
    assert drawn(chart({"Linux": [1]}))["layout"]["annotations"] == []


def test_a_chart_of_nothing_says_so() -> None:
    layout = drawn(chart({}))["layout"]

    assert [note["text"] for note in layout["annotations"]] == ["No downloads in these days"]
    assert ticks(drawn(chart({}))) == ["0", "1", "2", "3", "4"]


def test_a_chart_without_days_can_be_drawn() -> None:
    layout = drawn(chart({}, grid=Grid([], {})))["layout"]

    assert "range" not in layout["xaxis"]
    assert " to " not in layout["title"]["text"]


@pytest.mark.parametrize("kind", Kind)
def test_a_single_day_has_room_and_one_tick_a_day(kind: Kind) -> None:
    one = drawn(chart({}, grid=Grid(DAYS[:1], {"Linux": [5]}), kind=kind))
    axis = one["layout"]["xaxis"]

    assert axis["range"] == ["2025-12-31 12:00", "2026-01-01 12:00"]
    assert axis["dtick"] == charts.DAY
    trace = one["data"][-1]
    assert trace.get("width", 0) > 0 if kind is Kind.BAR else max(trace["marker"]["size"]) > 0


@pytest.mark.parametrize(("theme", "paper"), [(Theme.LIGHT, "#ffffff"), (Theme.DARK, "#0d1117")])
def test_a_theme_has_its_own_colours(theme: Theme, paper: str) -> None:
    figure = drawn(chart({"Linux": [1], "other": [1]}), theme)

    assert figure["layout"]["paper_bgcolor"] == paper
    colors = [trace["line"]["color"] for trace in figure["data"]]
    assert len(set(colors)) == 2
    assert colors != [
        trace["line"]["color"]
        for trace in drawn(
            chart({"Linux": [1], "other": [1]}), Theme.DARK if theme is Theme.LIGHT else Theme.LIGHT
        )["data"]
    ]


def test_a_wide_picture_has_larger_type_and_a_small_one_smaller_type() -> None:
    sizes = [
        drawn(chart({"Linux": [1]}), size=Size(width, 600))["layout"]["font"]["size"]
        for width in (400, 960, 1200, 2000)
    ]

    assert sizes == [12, 13, 16.25, 19.5]


def test_a_figure_is_plain_data_and_its_size_is_the_picture_s() -> None:
    figure = drawn(chart({"Linux": [1, None], "null": [2]}), size=SMALL)

    assert json.loads(json.dumps(figure)) == figure
    assert figure.keys() == {"data", "layout"}
    assert (figure["layout"]["width"], figure["layout"]["height"]) == (400, 300)
    assert "template" not in figure["layout"]


MINORS: dict[str, list[float | None]] = {f"3.{minor}": [minor] for minor in range(5, 15)}


def names(figure: Figure) -> list[str]:
    return [trace["name"] for trace in figure["data"]]


def test_a_small_picture_sums_what_its_legend_has_no_room_for() -> None:
    shown = chart(MINORS | {"null": [20], "other": [1, None]}, dimension=Dimension.PYTHON_MINOR)

    small, large = drawn(shown, size=SMALL), drawn(shown)

    kept = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "unknown", "other"]
    assert names(small) == kept
    assert small["data"][-1]["y"] == [5 + 6 + 7 + 1, 5 + 6 + 7] * 45
    assert names(large) == [*MINORS, "unknown (null)", "other"]


def test_a_small_picture_of_what_is_no_whole_keeps_all() -> None:
    columns: dict[str, list[float | None]] = {f"package-{number}": [5] for number in range(10)}

    assert names(drawn(chart(columns, dimension=Dimension.OVERALL), size=SMALL)) == list(columns)


@pytest.mark.parametrize(
    ("wide", "line"),
    [
        (400, "Daily downloads, with and without mirrors · to 30 November 2026"),
        (380, "Daily downloads, with and without mirrors · to 30 Nov 2026"),
        (330, "Daily downloads, with and without mirrors"),
    ],
)
def test_a_small_picture_has_as_much_of_the_last_day_as_fits(wide: int, line: str) -> None:
    shown = chart({}, dimension=Dimension.OVERALL, grid=Grid(["2026-11-30"], {"a": [1]}))

    title = drawn(shown, size=Size(wide, 300))["layout"]["title"]

    assert read(title["text"]).lines[1] == line
