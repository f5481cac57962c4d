"""PRESENT: which of a package's releases a chart marks, and how; pure."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from packaging.version import InvalidVersion, Version

from pypistats.palette import Colors
from pypistats.plain_text import escaped, fitted, width

MOST = 12
"""How many releases are marked; of more, the smaller ones are left out."""

NAME = "Releases"
AXIS = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
"""The second axis of counts, which the marks reach from bottom to top of."""

FONT_SIZE, LABEL_EMS = 11, 5

HEIGHT = 18
"""The pixels that the marks' texts take above what is drawn."""


class Release(NamedTuple):
    """A version and the ISO date of its first file."""

    version: str
    day: str


class Label(NamedTuple):
    """A text above a release's line, and on which side of it."""

    text: str
    position: str


def releases_to_mark(released: Mapping[str, dt.date], first: str, last: str) -> list[Release]:
    """Return the releases to mark from day `first` to day `last`, in order of day.

    Those before a final one are left out. Where there are too many of the others, they are those
    that begin a minor version (1.2.0), or only those that begin a major one (1.0.0), or the newest
    where numbers tell nothing.
    """
    since, until = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    known = sorted(
        (day, version, text)
        for text, day in released.items()
        if since <= day <= until and (version := _final(text))
    )
    for parts in (None, 2, 1):
        chosen = [each for each in known if parts is None or not any(each[1].release[parts:])]
        if 0 < len(chosen) <= MOST:
            break
    else:
        chosen = known[-MOST:]
    return [Release(text, day.isoformat()) for day, _, text in chosen]


def _final(text: str) -> Version | None:
    try:
        version = Version(text)
    except InvalidVersion:
        return None
    return None if version.is_prerelease else version


def mark(
    figure: dict[str, Any],
    releases: Sequence[Release],
    *,
    room: float,
    colors: Colors,
    unit: float,
) -> None:
    """Draw a line for each release into a figure, whose days are `room` pixels wide.

    Its text is above it. The box of a day tells a release near that day, by its own date.
    """
    layout = figure["layout"]
    labels = _labels(releases, layout["xaxis"]["range"], room, FONT_SIZE * unit)
    figure["data"].append(_trace(releases, labels, colors, unit))
    layout["yaxis2"] = AXIS
    layout["margin"]["t"] += HEIGHT * unit
    for note in layout["annotations"]:
        note["yshift"] = note.get("yshift", 0) + HEIGHT * unit


def _trace(
    releases: Sequence[Release], labels: Sequence[Label], colors: Colors, unit: float
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+text",
        "name": NAME,
        "yaxis": "y2",
        "x": [x for each in releases for x in (each.day, each.day, None)],
        "y": [0, 1, None] * len(releases),
        "text": [text for label in labels for text in ("", label.text, "")],
        "customdata": [escaped(each.version) for each in releases for _ in range(3)],
        "textposition": [label.position for label in labels for _ in range(3)],
        "textfont": {"size": FONT_SIZE * unit, "color": colors.quiet},
        "line": {"color": colors.quiet, "width": unit, "dash": "dot"},
        "cliponaxis": False,
        "hovertemplate": "%{customdata} released %{x|%-d %b %Y}<extra></extra>",
    }


def _labels(
    releases: Sequence[Release], span: Sequence[str], room: float, font: float
) -> list[Label]:
    """Return the texts at the top, empty where one would lie over that of a newer release."""
    first, last = map(dt.datetime.fromisoformat, span)
    per_day = room / ((last - first) / dt.timedelta(days=1) or 1)
    labels: list[Label] = []
    free = math.inf
    for version, day in reversed(releases):
        text = fitted(version, LABEL_EMS)
        wide = (width(text) + 0.5) * font
        place = (dt.datetime.fromisoformat(day) - first) / dt.timedelta(days=1) * per_day
        side = "left" if place + wide / 2 > room else "right" if place < wide / 2 else "center"
        left = place - {"left": wide, "right": 0, "center": wide / 2}[side]
        fits = left + wide <= free
        labels.append(Label(escaped(text) if fits else "", f"top {side}"))
        free = left if fits else free
    return labels[::-1]
