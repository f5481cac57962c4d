"""The JSON API, answer for answer what pypistats.org's clients expect.

Any spelling of a package's name works in place, and `package` in the answer is the normal form.
"""

from typing import Any

import orjson
from flask import Blueprint, Response, current_app

from pypistats import queries, series
from pypistats.answers import kept
from pypistats.catalog import (
    NULL,
    OTHER,
    SYSTEMS,
    WITH_MIRRORS,
    WITHOUT_MIRRORS,
    Dimension,
    Period,
)
from pypistats.views.parameters import (
    choice,
    known_name,
    major_version,
    minor_version,
    several_names,
)
from pypistats.views.scope import scope, until_known

bp = Blueprint("api", __name__, url_prefix="/api")

Document = dict[str, Any]

_PERIODS = tuple(Period)
_SYSTEMS = (*SYSTEMS, OTHER, NULL)


@bp.get("/packages/<name>/recent")
def recent(name: str) -> Response:
    """Answer the downloads of the last day, week and month, or of one `period`.

    Several names with commas between are answered together, unknown ones apart.
    """
    period = choice("period", _PERIODS)
    if "," in name:
        return _recent_of_several(name, period)
    package = known_name(name)

    def document() -> Document:
        data = _periods(queries.recent(package), period)
        return {"package": package, "type": "recent_downloads", **scope(package), "data": data}

    return kept(document, package, period, packages=[package])


@bp.get("/packages/<name>/overall")
def overall(name: str) -> Response:
    """Answer the series with and without mirrors, or one of them by `mirrors`."""
    package = known_name(name)
    mirrors = choice("mirrors", ("true", "false"))
    category = {None: None, "true": WITH_MIRRORS, "false": WITHOUT_MIRRORS}[mirrors]
    return _series(package, Dimension.OVERALL, category)


@bp.get("/packages/<name>/python_major")
def python_major(name: str) -> Response:
    """Answer the series by Python's major version, or of the one that `version` names."""
    package = known_name(name)
    return _series(package, Dimension.PYTHON_MAJOR, major_version())


@bp.get("/packages/<name>/python_minor")
def python_minor(name: str) -> Response:
    """Answer the series by Python's minor version, or of the one that `version` names."""
    package = known_name(name)
    return _series(package, Dimension.PYTHON_MINOR, minor_version())


@bp.get("/packages/<name>/system")
def system(name: str) -> Response:
    """Answer the series by operating system, or of the one that `os` names."""
    package = known_name(name)
    return _series(package, Dimension.SYSTEM, choice("os", _SYSTEMS))


@bp.get("/packages/<name>/installer")
def installer(name: str) -> Response:
    """Answer the series by installer, mirrors included."""
    return _series(known_name(name), Dimension.INSTALLER, None)


@bp.get("/packages/<name>/summary")
def summary(name: str) -> Response:
    """Answer the totals of all days, none of which counts mirrors."""
    package = known_name(name)
    days = current_app.config["RETENTION_DAYS"]
    return kept(lambda: _summary(package, days), package, packages=[package])


def _summary(package: str, retention_days: int) -> Document:
    columns = (WITHOUT_MIRRORS, Dimension.SYSTEM, Dimension.PYTHON_MINOR)
    days = queries.series(package, columns, days=retention_days)
    python_minor = series.totals(counts for *_, counts in days)
    totals = {
        "overall": sum(downloads for _, downloads, *_ in days),
        "system": series.totals(counts for _, _, counts, _ in days),
        "python_major": series.totals([series.python_major(python_minor)]),
        "python_minor": python_minor,
    }
    return {"package": package, "type": "summary", **scope(package), "totals": totals}


def _recent_of_several(asked: str, period: str | None) -> Response:
    names = several_names(asked)

    def document() -> tuple[Document, dict[str, str]]:
        found = queries.recent_of_several(names.packages)
        unknown = [name for name in names.asked if name not in found]
        document = {
            "type": "recent_downloads",
            "data": {package: _periods(recent, period) for package, recent in found.items()},
            "unknown": unknown,
        }
        return document, until_known(unknown)

    return kept(document, names.asked, period, packages=names.packages)


def _periods(recent: queries.Recent, period: str | None) -> dict[str, int]:
    periods = recent._asdict()
    return periods if period is None else {f"last_{period}": periods[f"last_{period}"]}


def _series(package: str, dimension: Dimension, category: str | None) -> Response:
    retention_days = current_app.config["RETENTION_DAYS"]

    def document() -> Document:
        names = series.STORED_COLUMNS[dimension]
        dates, *stored = queries.series_columns(package, names, days=retention_days)
        columns = series.category_columns(dimension, stored)
        data = orjson.Fragment(series.points_json(dates, columns, category))
        kind = f"{dimension}_downloads"
        return {"package": package, "type": kind, **scope(package), "data": data}

    return kept(document, package, category, packages=[package])
