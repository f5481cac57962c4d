"""What search engines and browsers ask every site for: where its pages are, and its icons."""

from collections.abc import Iterable
from urllib.parse import quote

from flask import Blueprint, Response, abort, current_app, redirect, url_for
from markupsafe import escape
from werkzeug.wrappers import Response as AnyResponse

from pypistats import queries
from pypistats.views.pages import NAVIGATION, data_status, kept_page, site_url

bp = Blueprint("crawlers", __name__)

SITEMAP_NAMES = 10_000
"""Packages in one part of the sitemap; the protocol allows five times as many."""

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


@bp.get("/robots.txt")
def robots() -> Response:
    """Let crawlers read the pages, but not every search and comparison that could be made."""
    lines = (
        "User-agent: *",
        "Disallow: /search",
        "Disallow: /compare",
        f"Sitemap: {site_url()}{url_for('crawlers.sitemap')}",
    )
    text = "\n".join(lines) + "\n"
    return kept_page(lambda: Response(text, mimetype="text/plain"), packages=())


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    """List the parts of the sitemap: the site's own pages, then the packages by number."""
    return kept_page(_sitemap, packages=None)


def _sitemap() -> Response:
    parts = -(-queries.highest_package_id() // SITEMAP_NAMES)
    addresses = [url_for("crawlers.sitemap_of_pages")]
    addresses += [url_for("crawlers.sitemap_of_packages", part=part) for part in range(parts)]
    changed = data_status().last_day
    lastmod = f"<lastmod>{changed}</lastmod>" if changed else ""
    listed = "".join(
        f"<sitemap><loc>{escape(site_url() + address)}</loc>{lastmod}</sitemap>\n"
        for address in addresses
    )
    return _xml(f"<sitemapindex {_NAMESPACE}>\n{listed}</sitemapindex>\n")


@bp.get("/sitemaps/pages.xml")
def sitemap_of_pages() -> Response:
    """List the site's own pages."""
    addresses = [url_for(endpoint) for endpoint in ("pages.index", *dict(NAVIGATION))]
    return kept_page(lambda: _urls(addresses), packages=())


@bp.get("/sitemaps/packages-<int:part>.xml")
def sitemap_of_packages(part: int) -> Response:
    """List the packages of one stretch of numbers: a stretch of the index, whatever its place."""
    return kept_page(lambda: _sitemap_of_packages(part), part, packages=None)


def _sitemap_of_packages(part: int) -> Response:
    first = part * SITEMAP_NAMES + 1
    if first > queries.highest_package_id():
        abort(404)
    names = queries.names_numbered(first, first + SITEMAP_NAMES - 1)
    return _urls(f"/packages/{quote(name)}" for name in names)


@bp.get("/favicon.ico")
def favicon() -> AnyResponse:
    """Redirect to the icon for those who ask for it unseen."""
    return redirect(url_for("static", filename="icons/favicon.ico"))


@bp.get("/site.webmanifest")
def manifest() -> Response:
    """Describe the site to a device that keeps it beside its apps."""
    icons = [
        {
            "src": url_for("static", filename=f"icons/icon-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
        }
        for size in (192, 512)
    ]
    document = {
        "name": "PyPI Stats",
        "start_url": url_for("pages.index"),
        "display": "browser",
        "icons": icons,
    }
    text = current_app.json.dumps(document)
    return kept_page(lambda: Response(text, mimetype="application/manifest+json"), packages=())


def _urls(addresses: Iterable[str]) -> Response:
    site = site_url()
    listed = "".join(f"<url><loc>{escape(site + address)}</loc></url>\n" for address in addresses)
    return _xml(f"<urlset {_NAMESPACE}>\n{listed}</urlset>\n")


def _xml(text: str) -> Response:
    return Response(_XML + text, mimetype="application/xml")
