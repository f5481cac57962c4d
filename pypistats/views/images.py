"""Charts: as pictures, and as the data and the figure that they are drawn from."""

import datetime as dt
from collections.abc import Mapping
from contextlib import nullcontext

import orjson
from flask import Blueprint, Response, current_app

from pypistats import charts, queries, reading, render, series, tables
from pypistats.answers import kept
from pypistats.catalog import Dimension
from pypistats.charts import Chart
from pypistats.limits import Cost, spend
from pypistats.releases import Release, releases_to_mark
from pypistats.series import Grid, Shape
from pypistats.views.chart_parameters import Asked, asked_chart
from pypistats.views.parameters import known_name
from pypistats.views.scope import all_packages

MIMETYPES = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "json": "application/json",
    "data": "application/json",
    "csv": tables.MIMETYPE,
    "plotly": "application/json",
}

bp = Blueprint("images", __name__, url_prefix="/api")

PICTURES = ("png", "svg")

SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""A picture by itself, whose elements have styles, and no script."""


@bp.get("/packages/<name>/chart/<dimension>")
def chart(name: str, dimension: str) -> Response:
    """Answer a chart of one dimension in the format that is asked for."""
    package = known_name(name)
    asked = asked_chart(dimension)
    days = current_app.config["RETENTION_DAYS"]
    return kept(
        lambda: _answer(package, asked, days),
        package,
        asked._replace(fresh=False),
        packages=[package],
        bypass=asked.fresh,
        place=render.place if asked.format in PICTURES else nullcontext,
    )


def _answer(package: str, asked: Asked, days: int) -> Response:
    with reading.snapshot():
        loaded = queries.days_to_show(days=days)
        grid = _grid(package, asked, loaded, days)
        chart = Chart(
            package=package,
            dimension=asked.dimension,
            grid=grid,
            kind=asked.kind,
            category=asked.category,
            share=asked.share,
            smooth=asked.smooth,
            suspects=frozenset(day for day, suspect in loaded.items() if suspect),
            title=asked.title,
            all_packages=all_packages(),
            released=_released(package, asked, grid),
        )
    response = Response(_body(chart, asked), mimetype=MIMETYPES[asked.format])
    if asked.format == "svg":
        response.headers["Content-Security-Policy"] = SVG_POLICY
    return response


def _grid(package: str, asked: Asked, loaded: Mapping[str, bool], days: int) -> Grid:
    """Return what is drawn. It is made with the days before the first that its mean is of."""
    columns = series.STORED_COLUMNS[asked.dimension]
    rows = queries.series(package, columns, days=days)
    shown = series.window(loaded, since=asked.since, until=asked.until, days=asked.days)
    if shown is None:
        return Grid([], {})
    first, last = shown
    counted = series.counts_by_day(asked.dimension, rows)
    grid = series.grid(
        asked.dimension,
        series.grouped_days(counted, asked.releases),
        days=series.day_range(first - dt.timedelta(days=asked.smooth - 1), last),
        loaded=loaded,
        category=asked.category,
    )
    shape = Shape(asked.smooth, asked.share, asked.category, charts.CATEGORIES_DRAWN)
    return series.since(series.shaped(grid, asked.dimension, shape), first.isoformat())


def _released(package: str, asked: Asked, grid: Grid) -> list[Release]:
    """Return the releases that are marked, which only all downloads are with."""
    if asked.dimension is not Dimension.OVERALL or not grid.days:
        return []
    return releases_to_mark(queries.release_days(package), grid.days[0], grid.days[-1])


def _document(chart: Chart) -> bytes:
    """Write the data as the contract has it, and the suspect days and releases if there are."""
    columns = chart.grid.columns.items()
    document = {
        "package": chart.package,
        "type": chart.dimension,
        "chartType": chart.kind,
        "title": charts.title(chart),
        "labels": chart.grid.days,
        "datasets": [{"label": name, "data": values} for name, values in columns],
    }
    if suspect := [day for day in chart.grid.days if day in chart.suspects]:
        document["suspect"] = suspect
    if chart.released:
        document["releases"] = [each._asdict() for each in chart.released]
    return orjson.dumps(document)


def _body(chart: Chart, asked: Asked) -> str | bytes:
    return _document(chart) if asked.format in ("json", "data") else drawn(chart, asked)


def drawn(chart: Chart, asked: Asked) -> str | bytes:
    """Return a chart as CSV, a row for each day, as plotly.js's figure or as a picture."""
    if asked.format == "csv":
        columns = chart.grid.columns
        rows = zip(chart.grid.days, *columns.values(), strict=True)
        return tables.csv_text(["date", *columns], rows)
    figure = charts.figure(chart, theme=asked.theme, size=asked.size)
    if asked.format == "plotly":
        return orjson.dumps(figure)
    spend(Cost.RENDER)
    return render.render_image(
        figure,
        width=asked.size.width,
        height=asked.size.height,
        scale=asked.scale,
        image_format=asked.format,
    )
