"""The pages: complete without script, and never waiting for another service."""

import datetime as dt
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from flask import Blueprint, current_app, g, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from pypistats import queries, reference, series
from pypistats.catalog import (
    ALL_PACKAGES,
    CATEGORIES_KEPT,
    LABELS,
    MIRRORS,
    NAME_MAX_LENGTH,
    SYSTEMS,
    VERSIONS_KEPT,
    WITHOUT_MIRRORS,
    Dimension,
    Period,
)
from pypistats.sparkline import Sparkline, sparkline
from pypistats.views.parameters import known_name, search_prefix

bp = Blueprint("pages", __name__)

OPENAPI = Path(__file__).resolve().parents[2] / "openapi.yaml"

NAVIGATION = (("pages.api", "API"), ("pages.faqs", "FAQs"), ("pages.about", "About"))
"""The pages that every page links to, by endpoint, in the header's order."""

RESULTS = 50
TOP = 10
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
def frame() -> dict[str, Any]:
    """Give every template the pages that the header links to, and the site's own address."""
    return {"navigation": NAVIGATION, "site_url": site_url()}


def site_url() -> str:
    """Return the address that the site is reached at, without a slash at its end."""
    return cast(str, current_app.config["SITE_URL"] or request.url_root.rstrip("/"))


@bp.get("/")
def index() -> str:
    """Show what the site is, a search box, the sum over all packages and the largest ones."""
    last_day = data_status().last_day
    stored = queries.series(
        ALL_PACKAGES, (WITHOUT_MIRRORS,), days=current_app.config["RETENTION_DAYS"]
    )
    daily = dict(map(tuple, stored))
    return render_template(
        "index.html",
        recent=queries.recent(ALL_PACKAGES),
        before=series.period_before(daily, daily, last_day) if last_day else {},
        daily=daily,
        line=_sparkline(daily, last_day),
        top=queries.top_packages(Period.MONTH, limit=TOP),
    )


def _sparkline(daily: Mapping[str, int], last_day: dt.date | None) -> Sparkline | None:
    """Draw the days up to the last one; None when there are none."""
    if not daily or last_day is None:
        return None
    days = series.day_range(dt.date.fromisoformat(min(daily)), last_day)
    return sparkline([daily.get(day) for day in days], width=600, height=120)


@bp.get("/about")
def about() -> str:
    """Show what the site is and where its numbers come from."""
    return render_template("about.html", retention_days=current_app.config["RETENTION_DAYS"])


@bp.get("/faqs")
def faqs() -> str:
    """Show what is counted and how, with the rules' own constants."""
    return render_template(
        "faqs.html",
        mirrors=MIRRORS,
        systems=SYSTEMS,
        versions_kept=VERSIONS_KEPT,
        categories_kept=CATEGORIES_KEPT,
        name_max_length=NAME_MAX_LENGTH,
        retention_days=current_app.config["RETENTION_DAYS"],
    )


@bp.get("/api")
def api() -> str:
    """Show every endpoint of the API, as openapi.yaml describes it."""
    return render_template("api.html", endpoints=_endpoints())


@bp.get("/api/")
def api_of_old() -> Response:
    """Redirect from the address that the API's page has had since 2018."""
    return redirect(url_for("pages.api"), code=301)


@bp.get("/openapi.yaml")
def openapi() -> Response:
    """Answer the API's description itself."""
    return send_file(OPENAPI, mimetype="application/yaml", max_age=3_600)


@functools.cache
def _endpoints() -> tuple[reference.Endpoint, ...]:
    return reference.read_endpoints(OPENAPI)


@bp.get("/search/<name>")
def search_of_old(name: str) -> Response:
    """Redirect from the address that searching had on pypistats.org."""
    return redirect(url_for("pages.search", q=name), code=301)


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
        dataset=_dataset(canonical, days) if days else None,
    )


def _dataset(package: str, days: list[queries.DayCounts]) -> dict[str, Any]:
    """Describe a package's downloads in schema.org's words, for search engines."""
    what = "all packages" if package == ALL_PACKAGES else package
    return {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "name": f"Downloads of {what} from PyPI",
        "description": f"Daily downloads of {what} from the Python Package Index, by Python"
        " version, system, installer and release.",
        "url": site_url() + url_for("pages.package", name=package),
        "isAccessibleForFree": True,
        "creator": {"@type": "Organization", "name": "PyPI Stats", "url": site_url()},
        "temporalCoverage": f"{days[0].day}/{days[-1].day}",
        "variableMeasured": "downloads",
        "distribution": [
            {
                "@type": "DataDownload",
                "name": document,
                "encodingFormat": "application/json",
                "contentUrl": site_url() + url_for(f"api.{document}", name=package),
            }
            for document in DOCUMENTS
        ],
    }


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
