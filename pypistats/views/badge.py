"""Badges: pictures for a README, and the documents that shields.io draws the same from.

Parameters also go by the names that shields.io and pepy.tech have for them.
"""

from typing import NamedTuple

from flask import Blueprint, Response

from pypistats import badges, queries
from pypistats.answers import kept
from pypistats.catalog import Period
from pypistats.views import api
from pypistats.views.parameters import choice, color, known_name, label
from pypistats.views.scope import scope

bp = Blueprint("badge", __name__, url_prefix="/badge")


class _Asked(NamedTuple):
    """What a badge is asked to be; None leaves it to the downloads or to the default."""

    package: str
    period: str
    exact: bool
    style: badges.Style
    label: str
    color: str | None
    left_color: str


@bp.get("/<name>.svg")
def picture(name: str) -> Response:
    """Draw a package's downloads; an error is a badge too, so that a README shows no hole."""
    asked = _asked(name)
    return kept(
        lambda: Response(badges.svg(_badge(asked)), mimetype=badges.MIMETYPE),
        asked,
        packages=[asked.package],
    )


@api.bp.get("/packages/<name>/badge.json", endpoint="badge")
def document(name: str) -> Response:
    """Describe the same badge in the schema of https://shields.io/endpoint."""
    asked = _asked(name)
    return kept(lambda: badges.endpoint_document(_badge(asked)), asked, packages=[asked.package])


def _asked(name: str) -> _Asked:
    text = label("label", "left_text")
    package = known_name(name)
    usual = f"tracked {badges.LABEL}" if scope(package) else badges.LABEL
    return _Asked(
        package=package,
        period=choice("period", badges.PERIODS) or Period.MONTH,
        exact=choice("units", ("international_system", "abbreviation", "none")) == "none",
        style=badges.Style(choice("style", tuple(badges.Style)) or badges.Style.FLAT),
        label=usual if text is None else text,
        color=color("color", "right_color"),
        left_color=color("left_color", "labelColor") or badges.LEFT_GREY,
    )


def _badge(asked: _Asked) -> badges.Badge:
    downloads = _downloads(asked.package, asked.period)
    return badges.Badge(
        label=asked.label,
        message=badges.downloads_message(downloads, asked.period, exact=asked.exact),
        color=asked.color or badges.downloads_color(downloads),
        left_color=asked.left_color,
        style=asked.style,
    )


def _downloads(package: str, period: str) -> int:
    if period == badges.TOTAL:
        return queries.total(package)
    return queries.recent(package).of(Period(period))
