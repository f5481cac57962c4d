"""What the page of one package shows, put together from what is stored of it."""

import datetime as dt
import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import current_app, render_template, url_for
from markupsafe import Markup

from pypistats import category_table, charts, series
from pypistats.catalog import (
    ALL_PACKAGES,
    WITH_MIRRORS,
    WITHOUT_MIRRORS,
    Dimension,
    PackageInfo,
)
from pypistats.category_table import CategoryRow
from pypistats.releases import releases_to_mark
from pypistats.stored_package import PackageDays, StoredPackage
from pypistats.views.filters import category_rows, cut
from pypistats.views.forms import Form, blank, kept_form
from pypistats.views.scope import all_packages
from pypistats.views.site_facts import SiteFacts

TABLE_ROWS = 20

TITLES = {
    Dimension.OVERALL: "Downloads with and without mirrors",
    Dimension.PYTHON_MAJOR: "By major version of Python",
    Dimension.PYTHON_MINOR: "By minor version of Python",
    Dimension.SYSTEM: "By system",
    Dimension.INSTALLER: "By installer",
    Dimension.VERSION: "By release",
}
JUMPS = {
    Dimension.OVERALL: "Downloads",
    Dimension.PYTHON_MAJOR: "Python major",
    Dimension.PYTHON_MINOR: "Python minor",
    Dimension.SYSTEM: "System",
    Dimension.INSTALLER: "Installer",
    Dimension.VERSION: "Release",
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

CHART_CHOICES = (
    ("days", "Days", (("30", "30 d"), ("90", "90 d"), ("180", "180 d"), ("", "All"))),
    ("mode", "Drawn as", (("line", "Lines"), ("bar", "Bars"), ("share", "Shares"))),
)
"""What a chart's reader may choose."""

CHART_FORMATS = (("png", "PNG"), ("svg", "SVG"), ("csv", "CSV"), ("json", "JSON"))

Context = dict[str, Any]

WORDS: Context = {
    "titles": TITLES,
    "jumps": JUMPS,
    "headings": HEADINGS,
    "documents": DOCUMENTS,
    "splits": charts.SPLITS,
    "chart_choices": CHART_CHOICES,
    "chart_formats": CHART_FORMATS,
}
"""The words that are the same on each page."""


def package_page(
    package: str,
    stored: StoredPackage,
    facts: SiteFacts,
    *,
    releases: str,
    shared: Mapping[str, str],
    site_url: str,
) -> bytes:
    """Return the page of one package.

    `releases` is how they are grouped, `shared` how the chart is drawn that stands for the page.
    """
    days = stored.days
    tables = _tables(days, facts.status.last_day, releases)
    shown = tuple(dimension for dimension, rows in tables.items() if rows)
    form = _form(package == ALL_PACKAGES, shown, releases, facts=facts, site_url=site_url)
    return form.filled(
        {
            "package": package,
            "title": cut(package, 50),
            "short_name": cut(package, 60),
            "shared": f"?{urlencode(shared)}" if shared else "",
            "days": f"{days.day[0]}/{days.day[-1]}" if days.day else "",
            "info": _part("_info.html", package=package, info=stored.info),
            "recent": _recent(package, stored, facts),
            "released": _released(stored.info, facts),
            **{f"rows_{dimension}": category_rows(rows) for dimension, rows in tables.items()},
        }
    )


def _form(
    is_all: bool, shown: tuple[Dimension, ...], releases: str, *, facts: SiteFacts, site_url: str
) -> Form:
    """Return the page with blanks for what is a package's own."""

    def text() -> str:
        package = blank("package")
        return render_template(
            "package.html",
            package=package,
            path=url_for("pages.package", name=package),
            is_all=is_all,
            shown=shown,
            releases=releases,
            retention_days=current_app.config["RETENTION_DAYS"],
            marks=facts.marks,
            missing=facts.missing,
            suspect=facts.suspect,
            dataset=_dataset(package, is_all=is_all, site_url=site_url) if shown else None,
            **WORDS,
        )

    return kept_form(facts, (is_all, shown, releases, site_url), text)


def _part(template: str, **values: object) -> Markup:
    """Return what stands in a blank. The template knows nothing but `values`."""
    return Markup(current_app.jinja_env.get_template(template).render(values))  # noqa: S704


def _recent(package: str, stored: StoredPackage, facts: SiteFacts) -> Markup:
    daily = dict(zip(stored.days.day, stored.days.without_mirrors, strict=True))
    return _part(
        "_recent.html",
        recent=stored.recent,
        total=stored.total,
        before=series.period_before(daily, facts.compared) if daily else {},
        first_day=facts.first_day,
        rank=None if package == ALL_PACKAGES else facts.rank(stored.recent),
        all_packages=all_packages(),
    )


def _released(info: PackageInfo | None, facts: SiteFacts) -> Markup:
    """Return the releases that the chart of all days marks."""
    last_day, first = facts.status.last_day, facts.marks.first
    if info is None or last_day is None or first is None:
        return Markup()
    released = releases_to_mark(info.releases, first, last_day.isoformat())
    return _part("_released.html", released=released) if released else Markup()


def _tables(
    days: PackageDays, last_day: dt.date | None, releases: str
) -> dict[Dimension, list[CategoryRow]]:
    """Return a table for each dimension; none at all while nothing is loaded."""
    if last_day is None or not days.day:
        return {}
    starts = category_table.period_starts(days.day, last_day)
    python_minor, system, installer, version = (
        category_table.period_sums(column, starts)
        for column in (days.python_minor, days.system, days.installer, days.version)
    )
    if parts := series.RELEASE_GROUPS[releases]:
        version = version.grouped(functools.partial(series.grouped_releases, parts=parts))
    overall = {WITH_MIRRORS: days.with_mirrors, WITHOUT_MIRRORS: days.without_mirrors}
    sums_of = {
        Dimension.OVERALL: category_table.overall_sums(overall, starts),
        Dimension.PYTHON_MAJOR: python_minor.grouped(series.python_major),
        Dimension.PYTHON_MINOR: python_minor,
        Dimension.SYSTEM: system,
        Dimension.INSTALLER: installer,
        Dimension.VERSION: version,
    }
    return {
        dimension: category_table.table(sums, rows=TABLE_ROWS)
        for dimension, sums in sums_of.items()
    }


def _dataset(package: str, *, is_all: bool, site_url: str) -> Context:
    """Describe a package's downloads in schema.org's words, for search engines."""
    what = all_packages() if is_all else package
    return {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "name": f"Downloads of {what} from PyPI",
        "description": f"Daily downloads of {what} from the Python Package Index, by Python"
        " version, system, installer and release.",
        "url": site_url + url_for("pages.package", name=package),
        "isAccessibleForFree": True,
        "creator": {"@type": "Organization", "name": "PyPI Stats", "url": site_url},
        "temporalCoverage": blank("days"),
        "variableMeasured": "downloads",
        "distribution": [
            {
                "@type": "DataDownload",
                "name": document,
                "encodingFormat": "application/json",
                "contentUrl": site_url + url_for(f"api.{document}", name=package),
            }
            for document in DOCUMENTS
        ],
    }
