"""The most downloaded packages: as a document, as CSV and as a page."""

import functools
import re
from typing import Any, NamedTuple

from flask import Blueprint, Response, render_template, url_for

from pypistats import package_lists, tables
from pypistats.answers import kept
from pypistats.catalog import LABELS, RANKINGS, Period, Ranking
from pypistats.package_lists import RankedPlace, RankingPart
from pypistats.views.pages import kept_page
from pypistats.views.parameters import MOST_PAGES, choice, pattern, whole_number

bp = Blueprint("top", __name__)

LEAST_PLACES, MOST_PLACES = 20, 1_000
PLACES = 100
"""How many places an answer has where nothing else is asked for."""

LIMITS = (20, PLACES, MOST_PLACES)
"""What the page offers."""

FORMATS = ("json", "csv")

_LISTS = {
    "all": Ranking.ALL,
    "growing": Ranking.GROWING,
    "new": Ranking.NEW,
    "python": Ranking.PYTHON_MINOR,
    "system": Ranking.SYSTEM,
    "installer": Ranking.INSTALLER,
}
_LIST = re.compile(
    r"all|growing|new|(python|system|installer):[^\x00-\x1f\x7f]{1,100}",
    re.ASCII | re.IGNORECASE,
)
_DEFAULTS = {"list": "all", "period": Period.MONTH, "limit": PLACES, "page": 1}


class _Asked(NamedTuple):
    """Which part of which list is asked for; the category is '' where the list has none."""

    ranking: Ranking
    category: str
    period: Period
    limit: int
    page: int


@bp.get("/api/top")
def document() -> Response:
    """Answer a part of a list as JSON or as CSV."""
    asked = _asked()
    if choice("format", FORMATS) == "csv":
        return kept(lambda: _table(asked), asked, "csv", packages=[RANKINGS])
    return kept(lambda: _document(asked), asked, "json", packages=[RANKINGS])


@bp.get("/top")
def page() -> Response:
    """Show a part of a list, and the ways to the others."""
    asked = _asked()
    return kept_page(lambda: _page(asked), asked, packages=[RANKINGS])


def _asked() -> _Asked:
    ranking, category = _list()
    return _Asked(
        ranking=ranking,
        category=category,
        period=Period(choice("period", tuple(Period)) or Period.MONTH),
        limit=whole_number("limit", LEAST_PLACES, MOST_PLACES) or PLACES,
        page=whole_number("page", 1, MOST_PAGES) or 1,
    )


def _list() -> tuple[Ranking, str]:
    """Return the list that is asked for and its category, which lists of no dimension lack."""
    accepts = "all, growing, new, python:VERSION, system:NAME or installer:NAME"
    name, _, category = (pattern("list", _LIST, accepts) or Ranking.ALL).partition(":")
    return _LISTS[name.lower()], category


def _part(asked: _Asked) -> RankingPart:
    """Return the places of one page, and the first of the next one where there is one."""
    return package_lists.ranking(
        asked.ranking,
        asked.category,
        asked.period,
        limit=asked.limit + 1,
        offset=(asked.page - 1) * asked.limit,
    )


def _document(asked: _Asked) -> dict[str, Any]:
    category, until, places = _part(asked)
    return {
        "type": "top",
        "list": asked.ranking,
        "category": category or None,
        "period": asked.period,
        "until": until,
        "page": asked.page,
        "limit": asked.limit,
        "more": len(places) > asked.limit,
        "data": [place._asdict() for place in places[: asked.limit]],
    }


def _table(asked: _Asked) -> Response:
    text = tables.csv_text(RankedPlace._fields, _part(asked).places[: asked.limit])
    return Response(text, mimetype=tables.MIMETYPE)


def _page(asked: _Asked) -> str:
    category, until, places = _part(asked)
    asked = asked._replace(category=category)
    categories = package_lists.ranked_categories()
    return render_template(
        "top.html",
        asked=asked,
        title=_title(asked),
        until=until,
        compares=asked.ranking in (Ranking.GROWING, Ranking.NEW),
        places=places[: asked.limit],
        more=len(places) > asked.limit,
        categories={
            (name, ranking): categories[ranking]
            for name, ranking in _LISTS.items()
            if ranking in categories
        },
        labels=LABELS,
        limits=LIMITS,
        link=functools.partial(_link, asked),
    )


def _title(asked: _Asked) -> str:
    name = LABELS.get(asked.category, asked.category)
    return {
        Ranking.ALL: "Most downloaded packages",
        Ranking.PYTHON_MINOR: f"Most downloaded with Python {name}",
        Ranking.SYSTEM: f"Most downloaded on {name}",
        Ranking.INSTALLER: f"Most downloaded by {name}",
        Ranking.GROWING: "Fastest growing packages",
        Ranking.NEW: "Newly popular packages",
    }[asked.ranking]


def _link(asked: _Asked, endpoint: str = "top.page", **changes: Any) -> str:
    """Return the address of what is asked for, changed; it begins on the first page again."""
    values = asked._replace(page=1)._asdict() | changes
    name = next(name for name, ranking in _LISTS.items() if ranking == values["ranking"])
    query = {
        "list": f"{name}:{values['category']}" if values["category"] else name,
        "period": values["period"],
        "limit": values["limit"],
        "page": values["page"],
        "format": changes.get("format"),
    }
    return url_for(
        endpoint, **{name: query[name] for name in query if query[name] != _DEFAULTS.get(name)}
    )
