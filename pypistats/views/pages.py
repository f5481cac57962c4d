"""The pages: complete without script, and never waiting for another service."""

import datetime as dt
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from pypistats import package_lists, queries, reading, reference, schedule, series
from pypistats.answers import MOMENT, kept
from pypistats.catalog import (
    ALL_PACKAGES,
    CATEGORIES_KEPT,
    MIRRORS,
    NAME_MAX_LENGTH,
    SYSTEMS,
    VERSIONS_KEPT,
    WITHOUT_MIRRORS,
    Dimension,
    Period,
    Ranking,
)
from pypistats.kept import Scope
from pypistats.sparkline import Sparkline, sparkline
from pypistats.views.chart_parameters import asked_releases, shared_chart
from pypistats.views.package_page import package_page
from pypistats.views.parameters import known_name
from pypistats.views.scope import all_packages, is_tracked
from pypistats.views.site_facts import package_with_facts

bp = Blueprint("pages", __name__)

OPENAPI = Path(__file__).resolve().parents[2] / "openapi.yaml"

NAVIGATION = (
    ("top.page", "Top"),
    ("compare.page", "Compare"),
    ("status.status", "Status"),
    ("pages.api", "API"),
    ("pages.faqs", "FAQs"),
    ("pages.about", "About"),
)
"""The pages that every page links to, by endpoint, in the header's order."""

TOP = 10


@bp.app_template_global("data_status")
def data_status() -> queries.DataStatus:
    """Return the last loaded day and whether the data is made up, read once a request."""
    if "data_status" not in g:
        g.data_status = queries.data_status()
    return cast(queries.DataStatus, g.data_status)


@bp.app_context_processor
def frame() -> dict[str, Any]:
    """Give every template what the header links to, the site's address, and what the sum is of."""
    return {
        "navigation": NAVIGATION,
        "site_url": site_url(),
        "all_packages": all_packages(),
        "is_tracked": is_tracked(),
    }


def site_url() -> str:
    """Return the address that the site is reached at, without a slash at its end."""
    return cast(str, current_app.config["SITE_URL"] or f"{request.scheme}://{request.host}")


def kept_page(make: Callable[[], str | Response], *parts: object, packages: Scope) -> Response:
    """Answer as `kept` does with what may have the site's own address in it.

    All its reads see the store at one moment.
    """

    def page() -> str | Response:
        with reading.snapshot():
            return make()

    return kept(page, site_url(), *parts, packages=packages)


@bp.get("/")
def index() -> Response:
    """Show what the site is, a search box, the sum over all packages and the largest ones."""
    return kept_page(_index, packages=None)


def _index() -> str:
    last_day = data_status().last_day
    stored = queries.series(
        ALL_PACKAGES, (WITHOUT_MIRRORS,), days=current_app.config["RETENTION_DAYS"]
    )
    daily = dict(map(tuple, stored))
    return render_template(
        "index.html",
        recent=queries.recent(ALL_PACKAGES),
        before=_before(daily, last_day),
        daily=daily,
        line=_sparkline(daily, last_day),
        top=package_lists.top_packages(Period.MONTH, limit=TOP),
        growing=_ranked(Ranking.GROWING),
        new=_ranked(Ranking.NEW),
    )


def _before(
    daily: Mapping[str, int], last_day: dt.date | None
) -> dict[Period, series.PeriodBefore | None]:
    """Return what the recent periods are compared with."""
    if last_day is None:
        return {}
    return series.period_before(daily, series.compared_days(daily, last_day))


def _ranked(ranking: Ranking) -> list[package_lists.RankedPlace]:
    """Return the first packages of a list by their growth from week to week."""
    return package_lists.ranking(ranking, "", Period.WEEK, limit=TOP).places


def _sparkline(daily: Mapping[str, int], last_day: dt.date | None) -> Sparkline | None:
    """Draw the days up to the last one; None when there are none."""
    if not daily or last_day is None:
        return None
    days = series.day_range(dt.date.fromisoformat(min(daily)), last_day)
    return sparkline([daily.get(day) for day in days], width=600, height=120)


@bp.get("/about")
def about() -> Response:
    """Show what the site is and where its numbers come from."""
    days = current_app.config["RETENTION_DAYS"]
    return kept_page(lambda: render_template("about.html", retention_days=days), packages=())


@bp.get("/faqs")
def faqs() -> Response:
    """Show what is counted and how, with the rules' own constants."""
    return kept_page(_faqs, packages=())


def _faqs() -> str:
    return render_template(
        "faqs.html",
        mirrors=MIRRORS,
        systems=SYSTEMS,
        versions_kept=VERSIONS_KEPT,
        categories_kept=CATEGORIES_KEPT,
        name_max_length=NAME_MAX_LENGTH,
        lowest=schedule.LOWEST,
        highest=schedule.HIGHEST,
        retention_days=current_app.config["RETENTION_DAYS"],
    )


@bp.get("/api")
def api() -> Response:
    """Show every endpoint of the API, as openapi.yaml describes it."""
    return kept_page(lambda: render_template("api.html", endpoints=_endpoints()), packages=())


@bp.get("/api/")
def api_of_old() -> AnyResponse:
    """Redirect from the address that the API's page has had since 2018."""
    return redirect(url_for("pages.api"), code=301)


@bp.get("/openapi.yaml")
def openapi() -> Response:
    """Answer the API's description itself."""
    made = functools.partial(Response, OPENAPI.read_bytes(), mimetype="application/yaml")
    return kept_page(made, packages=())


@functools.cache
def _endpoints() -> tuple[reference.Endpoint, ...]:
    return reference.read_endpoints(OPENAPI)


@bp.get("/packages/<name>")
def package(name: str) -> AnyResponse:
    """Show one package. Other spellings of its name redirect to the one that PyPI uses."""
    canonical = known_name(name)
    releases = asked_releases()
    if name != canonical:
        queries.recent(canonical)
        address = url_for("pages.package", name=canonical)
        if request.query_string:
            address += "?" + quote(request.query_string, safe="=&+%")
        return redirect(address, code=301)

    shared = shared_chart(Dimension.OVERALL)

    def page() -> Response:
        stored, facts = package_with_facts(canonical)
        g.data_status = facts.status
        body = package_page(
            canonical, stored, facts, releases=releases, shared=shared, site_url=site_url()
        )
        will_be_told = canonical != ALL_PACKAGES and "page_watch" in current_app.extensions
        return Response(
            body,
            headers={"Cache-Control": MOMENT} if will_be_told and not stored.is_info_known else {},
        )

    parts = site_url(), canonical, releases, tuple(shared.items())
    return kept(page, *parts, packages=[canonical])
