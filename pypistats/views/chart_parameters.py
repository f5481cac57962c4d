"""Reading what a request for a chart asks for; what can't be raises ParameterError."""

import datetime as dt
import re
from typing import NamedTuple

from flask import request

from pypistats import plain_text
from pypistats.catalog import NULL, OTHER, SYSTEMS, WITH_MIRRORS, WITHOUT_MIRRORS, Dimension
from pypistats.chart_room import Size
from pypistats.charts import Kind
from pypistats.errors import ParameterError
from pypistats.palette import Theme
from pypistats.series import RELEASE_GROUPS
from pypistats.views.parameters import choice, major_version, minor_version

FORMATS = ("png", "svg", "json", "data", "csv", "plotly")
RANGES = ("30", "90", "180")
WIDTH, HEIGHT, SCALE = 1200, 600, 1.0
WIDTHS, HEIGHTS, SCALES = (300, 2_000), (200, 1_200), (0.5, 3.0)
PIXELS = 4_000_000
"""The most that a picture may have."""

LONGEST_MEAN = 30
TITLE_EMS, TITLE_CHARACTERS = 130, 600
"""The most of a title. More characters have the room only as marks, which take long to draw."""

BELONGS = {
    "mirrors": (Dimension.OVERALL,),
    "version": (Dimension.PYTHON_MAJOR, Dimension.PYTHON_MINOR),
    "os": (Dimension.SYSTEM,),
    "releases": (Dimension.VERSION,),
}
"""The parameters that only some types have."""


class Asked(NamedTuple):
    """What a chart is asked to be. `fresh` asks for one that was not kept."""

    dimension: Dimension
    kind: Kind
    format: str
    theme: Theme
    category: str | None
    releases: str
    since: dt.date | None
    until: dt.date | None
    days: int | None
    smooth: int
    share: bool
    title: str | None
    size: Size
    scale: float
    fresh: bool


def asked_chart(dimension: str) -> Asked:
    """Return what the request asks for."""
    known = _dimension(dimension)
    since, until, days = _range()
    size, scale = _size()
    return Asked(
        dimension=known,
        kind=Kind(choice("chart", tuple(Kind)) or Kind.LINE),
        format=choice("format", FORMATS) or "png",
        theme=Theme(choice("theme", tuple(Theme)) or Theme.LIGHT),
        category=_category(known),
        releases=asked_releases(),
        since=since,
        until=until,
        days=days,
        smooth=_whole_number("smooth", 1, 1, LONGEST_MEAN),
        share=choice("share", ("1", "0", "true", "false")) in ("1", "true"),
        title=_title(),
        size=size,
        scale=scale,
        fresh=request.args.get("nocache", "").casefold() in ("1", "true")
        or request.args.get("cache", "").casefold() == "false",
    )


def asked_releases() -> str:
    """Return how releases are to be grouped, a key of `RELEASE_GROUPS`."""
    return choice("releases", tuple(RELEASE_GROUPS)) or "each"


def shared_chart(dimension: Dimension) -> dict[str, str]:
    """Return a chart's parameters from the words that stand for it in the address of a page.

    `bar-90-mean` are bars of 90 days, smoothed. A word that means nothing changes nothing, since a
    page is a page whatever is behind its address.
    """
    words = request.args.get(dimension, "").split("-")
    shown: dict[str, str] = {}
    if "bar" in words or "share" in words:
        shown["chart"] = Kind.BAR
    if "share" in words:
        shown["share"] = "1"
    if days := next((word for word in words if word in RANGES), None):
        shown["days"] = days
    if "mean" in words:
        shown["smooth"] = "7"
    return shown


def _dimension(asked: str) -> Dimension:
    """Read the type of a chart, as the contract calls it."""
    for dimension in Dimension:
        if asked.casefold() == dimension:
            return dimension
    raise ParameterError("type", f"one of {', '.join(Dimension)}")


def _category(dimension: Dimension) -> str | None:
    """Return the one category that the chart is narrowed to, by the parameter of its type."""
    for parameter, owners in BELONGS.items():
        if parameter in request.args and dimension not in owners:
            raise ParameterError(
                parameter, f"nothing here: it belongs to the type {' or '.join(owners)}"
            )
    mirrors = choice("mirrors", ("true", "false"))
    if mirrors is not None:
        return WITH_MIRRORS if mirrors == "true" else WITHOUT_MIRRORS
    version = major_version() if dimension is Dimension.PYTHON_MAJOR else minor_version()
    return choice("os", (*SYSTEMS, OTHER, NULL)) or version


def _range() -> tuple[dt.date | None, dt.date | None, int | None]:
    since, until, days = _day("since"), _day("until"), choice("days", RANGES)
    if since is not None and days is not None:
        raise ParameterError("days", "nothing beside since: one of the two says where to begin")
    if since is not None and until is not None and since > until:
        raise ParameterError("until", "a day that is not before since")
    return since, until, None if days is None else int(days)


def _title() -> str | None:
    asked = request.args.get("title", "")[:TITLE_CHARACTERS]
    return plain_text.fitted(asked, TITLE_EMS) or None


def _day(parameter: str) -> dt.date | None:
    value = request.args.get(parameter)
    if value is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    raise ParameterError(parameter, "a day such as 2026-03-01")


def _size() -> tuple[Size, float]:
    size = Size(_whole_number("width", WIDTH, *WIDTHS), _whole_number("height", HEIGHT, *HEIGHTS))
    scale = _scale()
    if size.width * size.height * scale * scale > PIXELS:
        raise ParameterError("scale", f"less: a picture has at most {PIXELS:,} pixels")
    return size, scale


def _whole_number(parameter: str, default: int, lowest: int, highest: int) -> int:
    value = request.args.get(parameter)
    if value is None:
        return default
    if re.fullmatch(r"[0-9]{1,9}", value) and lowest <= int(value) <= highest:
        return int(value)
    raise ParameterError(parameter, f"a whole number from {lowest:,} to {highest:,}")


def _scale() -> float:
    value = request.args.get("scale")
    if value is None:
        return SCALE
    lowest, highest = SCALES
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", value) and lowest <= float(value) <= highest:
        return float(value)
    raise ParameterError("scale", f"a number from {lowest:g} to {highest:g}")
