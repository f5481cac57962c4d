"""PRESENT: a series as a figure: a plain dict `{data, layout}` as plotly.js takes it; pure.

The page and the renderer draw the same figure. Its layout says everything, because no template is
applied. plotly.js reads a little HTML in the texts of a figure, and names of categories are free
text from user agents: all text goes through `plain_text`.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from pypistats import releases
from pypistats.catalog import (
    ALL_PACKAGES,
    LABELS,
    NULL,
    WITH_MIRRORS,
    Dimension,
)
from pypistats.chart_room import LEFT, RIGHT, SIDES, Size, fitting, legend_rows, shown_name
from pypistats.palette import COLORS, Colors, Theme, colors_of, translucent
from pypistats.plain_text import escaped, fitted, width
from pypistats.releases import Release
from pypistats.series import Grid, Values
from pypistats.ticks import round_steps, tick_text

FONT = "Inter, Open Sans, Noto Sans, DejaVu Sans, sans-serif"

CATEGORIES_DRAWN = 10
"""The largest categories have a colour of their own; the rest are summed."""

SPLITS = {
    Dimension.OVERALL: "with and without mirrors",
    Dimension.PYTHON_MAJOR: "by major version of Python",
    Dimension.PYTHON_MINOR: "by minor version of Python",
    Dimension.SYSTEM: "by system",
    Dimension.INSTALLER: "by installer",
    Dimension.VERSION: "by release",
}
"""How the downloads are split, in words that end a title."""

Figure = dict[str, Any]

DAY = 86_400_000
"""Milliseconds, which plotly.js counts dates in."""


class Kind(StrEnum):
    """How a series is drawn."""

    LINE = "line"
    BAR = "bar"


class Chart(NamedTuple):
    """What a chart shows. `grid` has percents when `share` is set, and `category` is the one of
    its dimension that it was narrowed to. `suspects` are days whose counts look wrong. `measure`
    says what the values are where they are no downloads, and `all_packages` what the sum is of.
    `released` are the releases to mark."""

    package: str
    dimension: Dimension
    grid: Grid
    kind: Kind = Kind.LINE
    category: str | None = None
    share: bool = False
    smooth: int = 1
    suspects: frozenset[str] = frozenset()
    title: str | None = None
    measure: str | None = None
    all_packages: str = "all packages"
    released: Sequence[Release] = ()


def title(chart: Chart) -> str:
    """Return a chart's title in one line: the one it was given, or what it shows."""
    return chart.title or f"{_heading(chart)}: {_shown(chart)[0].lower()}{_shown(chart)[1:]}"


def _heading(chart: Chart) -> str:
    return chart.all_packages.capitalize() if chart.package == ALL_PACKAGES else chart.package


def _shown(chart: Chart) -> str:
    """Say what is counted."""
    shown = chart.measure or ("Share of daily downloads" if chart.share else "Daily downloads")
    if chart.smooth > 1:
        shown += f" ({chart.smooth}-day mean)"
    return f"{shown}{_narrowed(chart)}, {_mirrors(chart)}"


def _narrowed(chart: Chart) -> str:
    if chart.dimension is Dimension.OVERALL:
        return ""
    if chart.category is None:
        return f" {SPLITS[chart.dimension]}"
    name = LABELS.get(chart.category, chart.category)
    python = chart.dimension in (Dimension.PYTHON_MAJOR, Dimension.PYTHON_MINOR)
    return f" with Python {name}" if python else f" on {name}"


def _mirrors(chart: Chart) -> str:
    if chart.dimension is Dimension.INSTALLER or chart.category == WITH_MIRRORS:
        return "with mirrors"
    if chart.dimension is Dimension.OVERALL and chart.category is None:
        return SPLITS[chart.dimension]
    return "without mirrors"


def figure(chart: Chart, *, theme: Theme, size: Size) -> Figure:
    """Return the figure. It has all that is drawn, so nothing of its kind may come from a user."""
    grid = fitting(chart.grid, chart.dimension, size, top=_top(chart, size))
    chart = chart._replace(grid=grid)
    colors = COLORS[theme]
    named = colors_of(chart.grid.columns, theme)
    traces = [
        {"name": escaped(shown_name(name, size)), "x": chart.grid.days}
        | _trace(chart, name, named[name], size.unit)
        for name in chart.grid.columns
    ]
    if chart.kind is Kind.LINE and len(traces) == 1:
        (name,) = chart.grid.columns
        traces.insert(0, _area(chart.grid, name, named[name]))
    drawn = {"data": traces, "layout": _layout(chart, colors, size)}
    if chart.released:
        room = size.width - SIDES * size.unit
        releases.mark(drawn, chart.released, room=room, colors=colors, unit=size.unit)
    return drawn


def _trace(chart: Chart, name: str, color: str, unit: float) -> Figure:
    values = chart.grid.columns[name]
    if chart.kind is Kind.BAR:
        bar: Figure = {"type": "bar", "y": values}
        bar["marker"] = {"color": color, "line": {"width": 0}}
        return bar if _many(values) else bar | {"width": 0.85 * DAY}
    thickness = 2.25 if len(chart.grid.columns) < 6 else 1.75
    marks = [unit * 6 if lonely else 0 for lonely in _lonely(values)]
    return {
        "type": "scatter",
        "mode": "lines+markers" if any(marks) else "lines",
        "y": values,
        "connectgaps": False,
        "line": {
            "color": color,
            "width": thickness * unit,
            "dash": "dot" if name == NULL else "solid",
        },
        "marker": {"color": color, "size": marks if any(marks) else 0, "line": {"width": 0}},
    }


def _area(grid: Grid, name: str, color: str) -> Figure:
    """Fill what is below a line. plotly.js would fill its gaps, so the area goes down at each."""
    points: list[tuple[str, float]] = []
    padded = [None, *grid.columns[name], None]
    for day, before, value, after in zip(grid.days, padded, padded[1:], padded[2:], strict=False):
        if value is not None:
            points += [(day, 0)] * (before is None)
            points += [(day, value)]
            points += [(day, 0)] * (after is None)
    return {
        "type": "scatter",
        "mode": "none",
        "x": [day for day, _ in points],
        "y": [value for _, value in points],
        "fill": "tozeroy",
        "fillcolor": translucent(color, 0.14),
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _many(days: Sequence[object]) -> bool:
    """Tell whether bars touch; they have a width else, or the bar of a single day had none."""
    return len(days) > 60


def _lonely(values: Values) -> Iterator[bool]:
    """Tell for each value if no neighbour makes a line with it, so that it needs a mark."""
    padded = [None, *values, None]
    for before, value, after in zip(padded, padded[1:], padded[2:], strict=False):
        yield value is not None and before is None and after is None


def _layout(chart: Chart, colors: Colors, size: Size) -> Figure:
    unit = size.unit
    legend = len(chart.grid.columns) > 1
    bottom = (40 if not size.small else 0 if legend else 28) * unit
    return {
        "width": size.width,
        "height": size.height,
        "autosize": False,
        "paper_bgcolor": colors.paper,
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": size.font, "color": colors.ink},
        "separators": ".,",
        "margin": {
            "l": LEFT * unit,
            "r": RIGHT * unit,
            "t": _top(chart, size),
            "b": bottom,
            "pad": 0,
        },
        "title": _title(chart, colors, size),
        "xaxis": _x_axis(chart, colors, size),
        "yaxis": _y_axis(chart, colors, size),
        "showlegend": legend,
        "legend": _legend(colors, size),
        "barmode": "overlay" if chart.dimension is Dimension.OVERALL else "stack",
        "bargap": 0 if _many(chart.grid.days) else 0.15,
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": colors.paper,
            "bordercolor": colors.rule,
            "font": {"family": FONT, "size": size.font, "color": colors.ink},
            "namelength": -1,
        },
        "dragmode": False,
        "shapes": _shading(chart, colors),
        "annotations": _notes(chart, colors, unit),
    }


def _top(chart: Chart, size: Size) -> float:
    """Return the pixels above what is drawn; a small picture has no room for a note there."""
    return size.top + (15 * size.unit if size.small and _suspect(chart) else 0)


def _suspect(chart: Chart) -> bool:
    return not chart.suspects.isdisjoint(chart.grid.days)


def _title(chart: Chart, colors: Colors, size: Size) -> Figure:
    """Write two lines. The markup in the second is the only one that a figure has."""
    unit = size.unit
    room = size.width - 40 * unit
    heading = fitted(chart.title or _heading(chart), room / (14 * unit), bold=True)
    shown = fitted(_subtitle(chart, room / (11 * unit)), room / (10 * unit))
    largest, line = (18, 24) if size.small else (21, 34)
    large = min(largest * unit, room / max(1, width(heading, bold=True)))
    small = min(13.5 * unit, room / width(shown))
    style = f"font-size:{small:g}px;font-weight:400;color:{colors.quiet}"
    return {
        "text": f"{escaped(heading)}<br><span style='{style}'>{escaped(shown)}</span>",
        "font": {
            "family": FONT,
            "size": large,
            "weight": 700,
            "color": colors.ink,
        },
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"l": 16 * unit, "t": line * unit},
    }


def _subtitle(chart: Chart, ems: float) -> str:
    """Say what is shown up to which day, as fully as `ems` have room for."""
    shown = _shown(chart)
    if not chart.grid.days:
        return shown
    last = dt.date.fromisoformat(chart.grid.days[-1])
    written = (f"{shown} · to {last.day} {last:{month} %Y}" for month in ("%B", "%b"))
    return next((each for each in written if width(each) <= ems), shown)


def _x_axis(chart: Chart, colors: Colors, size: Size) -> Figure:
    days, unit = chart.grid.days, size.unit
    axis: Figure = {
        "type": "date",
        "showgrid": False,
        "showline": True,
        "linecolor": colors.rule,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": (3 if size.small else 5) * unit,
        "tickcolor": colors.rule,
        "tickfont": {"family": FONT, "size": size.font, "color": colors.quiet},
        "nticks": min(8, int(size.width / (120 * unit))),
        "tickangle": 0,
        "tickformatstops": [
            {"dtickrange": [None, 27 * DAY], "value": "%-d %b"},
            {"dtickrange": ["M1", "M6"], "value": "%b %Y"},
            {"dtickrange": ["M12", None], "value": "%Y"},
        ],
        "hoverformat": "%a %-d %b %Y",
        "spikecolor": colors.quiet,
        "spikedash": "dot",
        "spikethickness": 1,
        "automargin": True,
        "fixedrange": True,
    }
    if days:
        axis["range"] = _room(chart)
    else:
        axis["showticklabels"] = False
    if 0 < len(days) <= 10:
        axis |= {"tick0": days[0], "dtick": DAY}
    return axis


def _room(chart: Chart) -> list[str]:
    """Return the ends of the axis of days: bars and lonely marks need half a day beside them."""
    days = chart.grid.days
    if chart.kind is Kind.LINE and len(days) > 10:
        return [days[0], days[-1]]
    before = dt.date.fromisoformat(days[0]) - dt.timedelta(days=1)
    return [f"{before} 12:00", f"{days[-1]} 12:00"]


def _y_axis(chart: Chart, colors: Colors, size: Size) -> Figure:
    whole = not chart.share and chart.smooth == 1 and chart.measure is None
    ticks = round_steps(_peak(chart), whole=whole, most=_steps(chart, size))
    suffix = "%" if chart.share else ""
    return {
        "gridcolor": colors.grid,
        "gridwidth": 1,
        "zeroline": True,
        "zerolinecolor": colors.rule,
        "zerolinewidth": 1,
        "ticks": "",
        "tickfont": {"family": FONT, "size": size.font, "color": colors.quiet},
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [f"{tick_text(tick, top=ticks[-1])}{suffix} " for tick in ticks],
        "range": [0, ticks[-1]],
        "rangemode": "tozero",
        "exponentformat": "B",
        "separatethousands": True,
        "hoverformat": ",.0f" if whole else ",.1f",
        "ticksuffix": suffix,
        "automargin": True,
        "fixedrange": True,
    }


def _peak(chart: Chart) -> float:
    """Return the largest value, or the largest of the sums where bars are stacked.

    Rounded shares can make up a little more than all.
    """
    stacked = chart.kind is Kind.BAR and chart.dimension is not Dimension.OVERALL
    days = zip(*chart.grid.columns.values(), strict=True)
    peak = max(((sum if stacked else max)(value or 0 for value in day) for day in days), default=0)
    return min(peak, 100) if chart.share else peak


def _steps(chart: Chart, size: Size) -> int:
    """Return how many steps the axis of counts has room for, above a legend of many rows."""
    taken = _top(chart, size) + size.below + legend_rows(chart.grid.columns, size) * size.row
    if chart.released:
        taken += releases.HEIGHT * size.unit
    return max(1, min(5, int((size.height - taken) / (2.5 * size.font))))


def _legend(colors: Colors, size: Size) -> Figure:
    return {
        "orientation": "h",
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 0,
        "yref": "container",
        "yanchor": "bottom",
        "font": {"family": FONT, "size": size.font, "color": colors.ink},
        "itemwidth": 30,
        "traceorder": "normal",
        "bgcolor": "rgba(0,0,0,0)",
    }


def _shading(chart: Chart, colors: Colors) -> list[Figure]:
    """Mark the suspect days from top to bottom, behind what is drawn."""
    return [
        {
            "type": "rect",
            "layer": "below",
            "xref": "x",
            "x0": f"{dt.date.fromisoformat(day) - dt.timedelta(days=1)} 12:00",
            "x1": f"{day} 12:00",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "fillcolor": colors.suspect,
            "line": {"width": 0},
        }
        for day in chart.grid.days
        if day in chart.suspects
    ]


def _notes(chart: Chart, colors: Colors, unit: float) -> list[Figure]:
    quiet = {"showarrow": False, "xref": "paper", "yref": "paper"}
    font = {"family": FONT, "size": 12 * unit, "color": colors.quiet}
    notes: list[Figure] = []
    if not chart.grid.columns:
        notes.append(
            quiet | {"text": "No downloads in these days", "x": 0.5, "y": 0.5, "font": font}
        )
    if _suspect(chart):
        right = {"x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "yshift": 4 * unit}
        notes.append(quiet | right | {"text": "Shaded: counts that look wrong", "font": font})
    return notes
