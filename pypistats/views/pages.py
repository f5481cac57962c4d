"""The pages: complete without script, and never waiting for another service."""

import datetime as dt
from typing import Any, cast

from flask import Blueprint, current_app, g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from pypistats import queries, series
from pypistats.catalog import LABELS, Dimension, Period
from pypistats.views.parameters import known_name, search_prefix

bp = Blueprint("pages", __name__)

NAVIGATION = (("pages.about", "About"),)
"""The pages that every page links to, by endpoint, in the header's order."""

RESULTS = 50
TABLE_ROWS = 20

TITLES = {
    Dimension.OVERALL: "With and without mirrors",
    Dimension.PYTHON_MAJOR: "By major version of Python",
    Dimension.PYTHON_MINOR: "By minor version of Python",
    Dimension.SYSTEM: "By system",
    Dimension.INSTALLER: "By installer",
    Dimension.VERSION: "By release",
}
HEADINGS = {
    Dimension.OVERALL: "Counted",
    Dimension.PYTHON_MAJOR: "Python",
    Dimension.PYTHON_MINOR: "Python",
    Dimension.SYSTEM: "System",
    Dimension.INSTALLER: "Installer",
    Dimension.VERSION: "Release",
}
DOCUMENTS = (
    "recent",
    "overall",
    "python_major",
    "python_minor",
    "system",
    "installer",
    "summary",
)
"""The API's documents that a package page links to."""


@bp.app_template_global("data_status")
def data_status() -> queries.DataStatus:
    """Return the last loaded day and whether the data is made up, read once a request."""
    if "data_status" not in g:
        g.data_status = queries.data_status()
    return cast(queries.DataStatus, g.data_status)


@bp.app_context_processor
def navigation() -> dict[str, Any]:
    """Give every template the pages that the header links to."""
    return {"navigation": NAVIGATION}


@bp.get("/")
def index() -> str:
    """Show what the site is, and a search box."""
    return render_template("index.html")


@bp.get("/about")
def about() -> str:
    """Show what the site is and where its numbers come from."""
    return render_template("about.html")


@bp.get("/search")
def search() -> str:
    """Show the packages whose names begin with `q`, by popularity."""
    prefix = search_prefix()
    found = queries.search(prefix, limit=RESULTS) if prefix else []
    return render_template("search.html", prefix=prefix, found=found, limit=RESULTS)


@bp.get("/packages/<name>")
def package(name: str) -> str | Response:
    """Show one package. Other spellings of its name redirect to the one that PyPI uses."""
    canonical = known_name(name)
    recent = queries.recent(canonical)
    if name != canonical:
        return redirect(url_for("pages.package", name=canonical), code=301)
    days = queries.package_days(canonical, days=current_app.config["RETENTION_DAYS"])
    return render_template(
        "package.html",
        package=canonical,
        recent=recent,
        days=days,
        tables=_tables(days, data_status().last_day),
        titles=TITLES,
        headings=HEADINGS,
        labels=LABELS,
        retention_days=current_app.config["RETENTION_DAYS"],
        documents=DOCUMENTS,
    )


def _tables(
    days: list[queries.DayCounts], last_day: dt.date | None
) -> dict[Dimension, list[series.CategoryRow]]:
    """Return a table for each dimension; none at all while nothing is loaded."""
    if last_day is None:
        return {}
    starts = {
        period: (last_day - dt.timedelta(days=period.days - 1)).isoformat() for period in Period
    }
    return {
        dimension: series.table(_dimension_days(days, dimension), starts, rows=TABLE_ROWS)
        for dimension in Dimension
    }


def _dimension_days(days: list[queries.DayCounts], dimension: Dimension) -> Any:
    columns = series.STORED_COLUMNS[dimension]
    return [
        (row.day, series.counts_of(dimension, [getattr(row, name) for name in columns]))
        for row in days
    ]
