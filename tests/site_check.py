"""Holds every number that the site shows of a package against a count made without the site.

`Totals` of `download_rows.aggregate` go in; what each answer of the API and each cell of the page
must hold is worked out here again, from the words of the API's description alone.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bs4 import BeautifulSoup

from pypistats.catalog import PackageDay
from tests.download_rows import Totals

Get = Callable[[str], tuple[int, str]]
"""Asks the site for a path; gives the status and the body."""

Series = dict[dt.date, Mapping[str, int]]

ALL = "__all__"
TABLE_ROWS = 20
LABELS = {
    "with_mirrors": "with mirrors",
    "without_mirrors": "without mirrors",
    "null": "unknown (null)",
    "Darwin": "Darwin (macOS)",
}


def check_site(get: Get, totals: Totals) -> tuple[int, list[str]]:
    """Return how many numbers were compared, and what differs, for every package and the sum."""
    compared, faults = 0, []
    last_day = max(day for day, _ in totals)
    for package in (*sorted({name for _, name in totals}), ALL):
        series = _series(totals, package)
        for path, expected, found in _answers(get, package, series, last_day):
            compared += _numbers(expected)
            if found != expected:
                faults.append(f"{path}: {_shorten(expected, found)}")
    return compared, faults


def _answers(
    get: Get, package: str, series: dict[str, Series], last_day: dt.date
) -> Iterator[tuple[str, Any, Any]]:
    """Yield each path with what it must answer and what it does."""
    for path, expected in _documents(package, series, last_day).items():
        yield path, (200, expected), _document(get, path)
    page = f"/packages/{package}"
    status, body = get(page)
    soup = BeautifulSoup(body, "html.parser")
    yield page, (200, _recent_cells(series, last_day)), (status, _cells(soup, "dl.recent data"))
    for dimension, days in series.items():
        found = {
            tuple(_cells(row, "th, td"))
            for row in soup.select(f"section[aria-labelledby={dimension}] tbody tr")
        }
        yield f"{page}#{dimension}", _table(days, last_day), found


# --- what the rows come to ---------------------------------------------------------------------


def _series(totals: Totals, package: str) -> dict[str, Series]:
    """Return each dimension's series of a package, or of the sum over all.

    Releases are not summed over packages: 2.0 of one has nothing to do with 2.0 of another.
    """
    dimensions = ("overall", "python_major", "python_minor", "system", "installer", "version")
    series: dict[str, dict[dt.date, Counter[str]]] = {name: {} for name in dimensions}
    for (day, name), row in totals.items():
        if package in (name, ALL):
            for dimension, counts in _counts(row).items():
                series[dimension].setdefault(day, Counter()).update(counts)
    if package == ALL:
        series["version"].clear()
    return {dimension: dict(days) for dimension, days in series.items()}


def _counts(row: PackageDay) -> dict[str, Mapping[str, int]]:
    majors: Counter[str] = Counter()
    for minor, downloads in row.python_minor.items():
        majors[minor.split(".")[0]] += downloads
    return {
        "overall": {"with_mirrors": row.with_mirrors, "without_mirrors": row.without_mirrors},
        "python_major": majors,
        "python_minor": row.python_minor,
        "system": row.system,
        "installer": row.installer,
        "version": row.version,
    }


def _sums(days: Series, since: dt.date = dt.date.min) -> Counter[str]:
    sums: Counter[str] = Counter()
    for day, counts in days.items():
        if day >= since:
            sums.update(counts)
    return sums


def _since(last_day: dt.date) -> tuple[dt.date, dt.date, dt.date]:
    """Return the first days of the last day, week and month."""
    one, week, month = (last_day - dt.timedelta(days=days - 1) for days in (1, 7, 30))
    return one, week, month


# --- what the API must answer ------------------------------------------------------------------


def _documents(package: str, series: dict[str, Series], last_day: dt.date) -> dict[str, Any]:
    base = f"/api/packages/{package}"
    without = [_sums(series["overall"], day)["without_mirrors"] for day in _since(last_day)]
    recent = dict(zip(("last_day", "last_week", "last_month"), without, strict=True))
    totals = {
        name: dict(_sums(series[name])) for name in ("system", "python_major", "python_minor")
    }
    overall = _sums(series["overall"])["without_mirrors"]
    documents = {
        f"{base}/recent": {"package": package, "type": "recent_downloads", "data": recent},
        f"{base}/summary": {
            "package": package,
            "type": "summary",
            "totals": {"overall": overall, **totals},
        },
    }
    for name in ("overall", "python_major", "python_minor", "system", "installer"):
        points = [
            {"category": category, "date": day.isoformat(), "downloads": downloads}
            for day, counts in series[name].items()
            for category, downloads in counts.items()
            if downloads
        ]
        document = {"package": package, "type": f"{name}_downloads", "data": _sorted(points)}
        documents[f"{base}/{name}"] = document
    return documents


def _document(get: Get, path: str) -> tuple[int, Any]:
    status, body = get(path)
    document = json.loads(body)
    if isinstance(document.get("data"), list):
        document["data"] = _sorted(document["data"])
    return status, document


def _sorted(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order points; the API's order is no part of what is checked here."""
    return sorted(points, key=lambda point: (point["category"], point["date"]))


# --- what the page must show -------------------------------------------------------------------


def _recent_cells(series: dict[str, Series], last_day: dt.date) -> list[str]:
    """Return the downloads of the recent periods, and of all time."""
    starts = (*_since(last_day), dt.date.min)
    sums = (_sums(series["overall"], day)["without_mirrors"] for day in starts)
    return [f"{downloads:,}" for downloads in sums]


def _table(days: Series, last_day: dt.date) -> set[tuple[str, ...]]:
    """Return the rows of a dimension's table: the largest categories, the rest as `other`."""
    totals = _sums(days)
    whole = totals["with_mirrors"] or totals.total()
    largest = sorted(totals, key=lambda name: (-totals[name], name))[:TABLE_ROWS]
    columns = [_folded(_sums(days, day), largest) for day in (*_since(last_day), dt.date.min)]
    return {
        (
            LABELS.get(name, name),
            *(f"{column[name]:,}" for column in columns),
            _percent(total / whole),
        )
        for name, total in columns[-1].items()
        if total
    }


def _folded(sums: Counter[str], largest: list[str]) -> Counter[str]:
    folded: Counter[str] = Counter()
    for name, downloads in sums.items():
        folded[name if name in largest else "other"] += downloads
    return folded


def _percent(share: float) -> str:
    return "< 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def _cells(element: Any, selector: str) -> list[str]:
    return [" ".join(cell.get_text().split()) for cell in element.select(selector)]


# --- what came of it ---------------------------------------------------------------------------


def _numbers(value: Any) -> int:
    """Count the numbers in an answer, or the cells of a table."""
    if isinstance(value, dict):
        return sum(map(_numbers, value.values()))
    if isinstance(value, list | tuple | set):
        return sum(map(_numbers, value))
    return int(isinstance(value, int) or str(value)[:1].isdigit())


def _shorten(expected: Any, found: Any) -> str:
    return f"expected {str(expected)[:300]}, found {str(found)[:300]}"
