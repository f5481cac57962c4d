"""Search by name: as a document for scripts, and as a page."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from pypistats import package_lists, queries, spelling
from pypistats.answers import kept
from pypistats.spelling import Found
from pypistats.views.pages import kept_page
from pypistats.views.parameters import MOST_PAGES, search_prefix, whole_number
from pypistats.views.scope import is_tracked

bp = Blueprint("search", __name__)

RESULTS = 20
MOST_RESULTS = 100
ON_A_PAGE = 50


@bp.get("/api/search")
def document() -> Response:
    """Answer the packages whose names begin with `q`, by popularity, then those close to it."""
    searched = search_prefix()
    limit = whole_number("limit", 1, MOST_RESULTS) or RESULTS
    number = whole_number("page", 1, MOST_PAGES) or 1
    return kept(lambda: _document(searched, limit, number), searched, limit, number, packages=None)


@bp.get("/search")
def page() -> Response:
    """Show what is found. The name of a package leads to it at once, unless a page is asked for."""
    searched = search_prefix()
    number = whole_number("page", 1, MOST_PAGES)
    return kept_page(lambda: _page(searched, number), searched, number, packages=None)


@bp.get("/search/<name>")
def page_of_old(name: str) -> AnyResponse:
    """Redirect from the address that searching had on pypistats.org."""
    return redirect(url_for("search.page", q=name), code=301)


def find(searched: str, *, limit: int, page: int) -> list[Found]:
    """Return the packages of one page, and the first of the next one where there is one.

    Similar names fill the first page up, so that none are looked for when it is full already.
    """
    if not searched:
        return []
    found = package_lists.search(searched, limit=limit + 1, offset=(page - 1) * limit)
    if page == 1 and len(found) < limit:
        near = [name for name in spelling.neighbours(searched) if not name.startswith(searched)]
        found += package_lists.found_among(near, limit=limit - len(found))
    return spelling.matches(searched, found)


def _document(searched: str, limit: int, number: int) -> dict[str, Any]:
    found = find(searched, limit=limit, page=number)
    return {
        "type": "search",
        "query": searched,
        "page": number,
        "limit": limit,
        "more": len(found) > limit,
        "data": [each._asdict() for each in found[:limit]],
    }


def _page(searched: str, number: int | None) -> str | Response:
    if number is None and _has_page(searched):
        # Not for ever: the address has other results without the package.
        return Response(status=302, headers={"Location": url_for("pages.package", name=searched)})
    found = find(searched, limit=ON_A_PAGE, page=number or 1)
    return render_template(
        "search.html",
        prefix=searched,
        found=found[:ON_A_PAGE],
        page=number or 1,
        more=len(found) > ON_A_PAGE,
    )


def _has_page(name: str) -> bool:
    """Tell whether there is a package of that name, or one that is fetched once it is opened."""
    if package_lists.found_among([name], limit=1):
        return True
    return is_tracked() and queries.is_known_name(name) is True
