"""Badges: pictures for a README, and the documents that shields.io draws the same from.

Parameters also go by the names that shields.io and pepy.tech have for them.
"""

from typing import Any

from flask import Blueprint, Response

from pypistats import badges, queries
from pypistats.catalog import Period
from pypistats.views import api
from pypistats.views.parameters import choice, color, known_name, label

bp = Blueprint("badge", __name__, url_prefix="/badge")


@bp.get("/<name>.svg")
def picture(name: str) -> Response:
    """Draw a package's downloads; an error is a badge too, so that a README shows no hole."""
    return Response(badges.svg(_badge(name)), mimetype=badges.MIMETYPE)


@api.bp.get("/packages/<name>/badge.json", endpoint="badge")
def document(name: str) -> dict[str, Any]:
    """Describe the same badge in the schema of https://shields.io/endpoint."""
    return badges.endpoint_document(_badge(name))


def _badge(name: str) -> badges.Badge:
    package = known_name(name)
    period = choice("period", badges.PERIODS) or Period.MONTH
    units = choice("units", ("international_system", "abbreviation", "none"))
    style = choice("style", tuple(badges.Style)) or badges.Style.FLAT
    text = label("label", "left_text")
    right = color("color", "right_color")
    left = color("left_color", "labelColor")
    downloads = _downloads(package, period)
    return badges.Badge(
        label=badges.LABEL if text is None else text,
        message=badges.downloads_message(downloads, period, exact=units == "none"),
        color=right or badges.downloads_color(downloads),
        left_color=left or badges.LEFT_GREY,
        style=badges.Style(style),
    )


def _downloads(package: str, period: str) -> int:
    if period == badges.TOTAL:
        return queries.total(package)
    return queries.recent(package).of(Period(period))
