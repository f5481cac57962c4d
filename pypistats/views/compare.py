"""Comparisons of packages: as data, as a chart and as a page."""

import datetime as dt
from contextlib import nullcontext
from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response, current_app, render_template, request

from pypistats import comparison, package_lists, queries, reading, render, series
from pypistats.answers import kept
from pypistats.catalog import WITH_MIRRORS, WITHOUT_MIRRORS, Dimension, Period
from pypistats.charts import Chart
from pypistats.comparison import MOST_PACKAGES, Mode
from pypistats.series import Grid
from pypistats.views.chart_parameters import RANGES, Asked, asked_chart
from pypistats.views.images import MIMETYPES, PICTURES, SVG_POLICY, drawn
from pypistats.views.pages import kept_page
from pypistats.views.parameters import Names, choice, several_names
from pypistats.views.scope import until_known

bp = Blueprint("compare", __name__)

FORMATS = ("json", "csv", "plotly", "png", "svg")

MODES = {
    Mode.ABSOLUTE: "Downloads",
    Mode.SHARE: "Shares",
    Mode.INDEXED: "Indexed, first day is 100",
}
EXAMPLES = 3
"""How many packages are offered to compare where none are asked for."""

MEANS = {1: "Each day", 7: "Mean of 7 days", 30: "Mean of 30 days"}


class _Comparison(NamedTuple):
    """What is known of the packages that are asked for."""

    downloads: dict[str, dict[str, int]]
    grid: Grid
    loaded: dict[str, bool]
    """The days that are loaded, and whether their counts look wrong."""


@bp.get("/api/compare")
def document() -> Response:
    """Answer the daily downloads of several packages in the format that is asked for."""
    names, mode, asked = _names(), _mode(), _asked()
    days = current_app.config["RETENTION_DAYS"]
    return kept(
        lambda: _answer(names, mode, asked, days),
        names.asked,
        mode,
        asked._replace(fresh=False),
        packages=names.packages,
        bypass=asked.fresh,
        place=render.place if asked.format in PICTURES else nullcontext,
    )


@bp.get("/compare")
def page() -> Response:
    """Show packages beside each other, and a form to choose them."""
    names, mode, asked = _names(optional=True), _mode(), _asked()
    days = current_app.config["RETENTION_DAYS"]
    return kept_page(
        lambda: _page(names, mode, asked, days),
        names.asked,
        mode,
        asked,
        packages=names.packages or None,
    )


def _names(*, optional: bool = False) -> Names:
    """Return the asked names; several parameters are as good as commas."""
    asked = ",".join(request.args.getlist("packages"))
    if optional and not asked.strip(", "):
        return Names([], [])
    return several_names(asked, "packages", MOST_PACKAGES)


def _mode() -> Mode:
    return Mode(choice("mode", tuple(Mode)) or Mode.ABSOLUTE)


def _asked() -> Asked:
    """Return what a comparison has in common with the chart of one package."""
    written = choice("format", FORMATS) or "json"
    return asked_chart(Dimension.OVERALL)._replace(format=written, share=False)


def _answer(names: Names, mode: Mode, asked: Asked, days: int) -> Response:
    with reading.snapshot():
        found = _compare(names.packages, mode, asked, days)
    unknown = _unknown(names, found)
    response = Response(
        _body(found, mode, asked, unknown=unknown),
        mimetype=MIMETYPES[asked.format],
        headers=until_known(unknown),
    )
    if asked.format == "svg":
        response.headers["Content-Security-Policy"] = SVG_POLICY
    return response


def _unknown(names: Names, found: _Comparison) -> list[str]:
    return [name for name in names.asked if name not in found.downloads]


def _page(names: Names, mode: Mode, asked: Asked, days: int) -> Response:
    found = _compare(names.packages, mode, asked, days)
    unknown = _unknown(names, found)
    packages = list(found.downloads)
    query = {
        "packages": ",".join(packages),
        "mode": None if mode is Mode.ABSOLUTE else mode,
        "days": asked.days,
        "smooth": None if asked.smooth == 1 else asked.smooth,
    }
    examples = [] if names.asked else package_lists.top_packages(Period.MONTH, limit=EXAMPLES)
    text = render_template(
        "compare.html",
        examples=[each.package for each in examples],
        asked=asked,
        mode=mode,
        packages=packages,
        written=", ".join(names.asked),
        unknown=unknown,
        rows=comparison.table(found.downloads, found.grid.days, found.loaded),
        days=found.grid.days,
        query=query,
        modes=MODES,
        ranges=RANGES,
        means=MEANS,
        most=MOST_PACKAGES,
    )
    return Response(text, headers=until_known(unknown))


def _compare(packages: list[str], mode: Mode, asked: Asked, days: int) -> _Comparison:
    loaded = queries.days_to_show(days=days)
    column = asked.category or WITHOUT_MIRRORS
    downloads = package_lists.daily_downloads(packages, column, days=days)
    shown = series.window(loaded, since=asked.since, until=asked.until, days=asked.days)
    grid = Grid([], {package: [] for package in downloads})
    if shown is not None:
        first, last = shown
        grid = comparison.compare(
            downloads,
            days=series.day_range(first - dt.timedelta(days=asked.smooth - 1), last),
            first=first.isoformat(),
            loaded=loaded,
            mode=mode,
            smooth=asked.smooth,
        )
    return _Comparison(downloads, grid, loaded)


def _body(found: _Comparison, mode: Mode, asked: Asked, *, unknown: list[str]) -> str | bytes:
    if asked.format == "json":
        return orjson.dumps(_document(found.grid, mode, asked, unknown))
    return drawn(_chart(found, mode, asked), asked)


def _document(grid: Grid, mode: Mode, asked: Asked, unknown: list[str]) -> dict[str, Any]:
    return {
        "type": "compare",
        "mode": mode,
        "mirrors": asked.category == WITH_MIRRORS,
        "smooth": asked.smooth,
        "days": grid.days,
        "data": [
            {"package": package, "values": values} for package, values in grid.columns.items()
        ],
        "unknown": unknown,
    }


def _chart(found: _Comparison, mode: Mode, asked: Asked) -> Chart:
    packages = ", ".join(found.grid.columns)
    return Chart(
        package=packages,
        dimension=Dimension.OVERALL,
        grid=found.grid,
        category=asked.category or WITHOUT_MIRRORS,
        share=mode is Mode.SHARE,
        smooth=asked.smooth,
        suspects=frozenset(day for day, suspect in found.loaded.items() if suspect),
        title=asked.title or packages,
        measure=comparison.MEASURES[mode],
    )
