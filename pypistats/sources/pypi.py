"""SOURCE: what PyPI tells of its projects, and the list of their names.

All of it is text that strangers wrote: each field is bounded, cleaned of control characters, and
links are kept only if they lead to the web. A server that redirects elsewhere is not followed.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from email.utils import getaddresses
from importlib.metadata import version
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import requests
from packaging.requirements import InvalidRequirement, Requirement

from pypistats.catalog import InvalidNameError, Link, PackageInfo, normalize_name
from pypistats.sources import SourceError
from pypistats.sources.web import Answer, Bounds, request

PROJECT_BOUNDS = Bounds(total=30, size=64 * 2**20, idle=15)
"""The largest projects tell of each file in thousands of releases."""

NAMES_BOUNDS = Bounds(total=300, size=512 * 2**20, idle=60)
"""PyPI has some 700,000 names, in some 40 MiB."""

REDIRECTS = 3

SUMMARY_LENGTH = 500
TEXT_LENGTH = 200
LINK_LENGTH = 1_000
LINKS_KEPT = 20
RELEASES_KEPT = 1_000
DEPENDENCIES_KEPT = 500

_NAME = re.compile(rb'"name"\s*:\s*"([A-Za-z0-9._-]+)"')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_QUOTED = re.compile(r"""(["']).*?\1""")
_EXTRA = re.compile(r"\bextra\b")
_LICENSE_CLASSIFIER = "License :: "


class PyPI:
    """Reads PyPI's JSON APIs at `url`."""

    def __init__(
        self,
        url: str,
        *,
        project_bounds: Bounds = PROJECT_BOUNDS,
        names_bounds: Bounds = NAMES_BOUNDS,
    ) -> None:
        self._url = url
        self._project_bounds = project_bounds
        self._names_bounds = names_bounds
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"pypistats/{version('pypistats')}"

    def fetch_project(self, package: str) -> PackageInfo | None:
        """Return what PyPI tells of a project; None if it knows none of that name."""
        url = f"{self._url}/pypi/{package}/json"
        answer = self._get(url, "application/json", self._project_bounds)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise SourceError(f"{url} answers with status {answer.status}: {answer.text}")
        return _package_info(_document(answer, url))

    def fetch_names(self) -> Iterator[str]:
        """Return the names of all projects, in normal form; some may come twice.

        They are looked for in the answer's text: as documents they would fill hundreds of MiB.
        """
        url = f"{self._url}/simple/"
        answer = self._get(url, "application/vnd.pypi.simple.v1+json", self._names_bounds)
        if answer.status != 200 or not answer.content.startswith(b"{"):
            raise SourceError(f"{url} gives no list of names: {answer.status}, {answer.text[:100]}")
        return _names(answer.content)

    def _get(self, url: str, accept: str, bounds: Bounds) -> Answer:
        """Return the answer, after redirects within the same server."""
        for _ in range(1 + REDIRECTS):
            answer = request(self._session, "GET", url, bounds=bounds, headers={"Accept": accept})
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            target = urljoin(url, answer.headers.get("Location", ""))
            if _origin(target) != _origin(self._url):
                raise SourceError(f"{url} redirects to another server: {target[:TEXT_LENGTH]}")
            url = target
        raise SourceError(f"{url} redirects more than {REDIRECTS} times")


def _names(content: bytes) -> Iterator[str]:
    for found in _NAME.finditer(content):
        try:
            yield normalize_name(found[1].decode())
        except InvalidNameError:
            continue


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


# --- a project --------------------------------------------------------------------------------


def _document(answer: Answer, url: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(answer.content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("info"), dict):
        raise SourceError(f"{url} gives no project: {answer.text[:100]}")
    return document


def _package_info(document: Mapping[str, Any]) -> PackageInfo:
    """Read a document, and leave out what has another form than it should."""
    info = document["info"]
    releases = _releases(document.get("releases"))
    latest = _text(info.get("version"))
    required, optional = _dependencies(info.get("requires_dist"))
    return PackageInfo(
        summary=_text(info.get("summary"), SUMMARY_LENGTH),
        author=_author(info),
        license=_license(info),
        requires_python=_text(info.get("requires_python")),
        latest_version=latest,
        released=releases.get(latest),
        links=_links(info),
        releases=releases,
        required=required,
        optional=optional,
    )


def _text(value: object, longest: int = TEXT_LENGTH) -> str:
    """Return `value` on one line and no longer than that; empty if it is no text."""
    if not isinstance(value, str):
        return ""
    text = " ".join(_CONTROL.sub(" ", value[: 4 * longest]).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _author(info: Mapping[str, Any]) -> str:
    """Return who wrote it, or who keeps it; addresses are nobody's business here."""
    for role in ("author", "maintainer"):
        name = _text(info.get(role))
        if name and "@" not in name:
            return name
        addresses = getaddresses([_text(info.get(f"{role}_email"), 5 * TEXT_LENGTH)])
        names = [name for name, _ in addresses if name and "@" not in name]
        if names:
            return _text(", ".join(names))
    return ""


def _license(info: Mapping[str, Any]) -> str:
    """Return the licence's short name. Some put the whole text there: that is left out."""
    given = _text(info.get("license_expression")) or _text(info.get("license"))
    if given and not given.endswith("…"):
        return given
    classifiers = info.get("classifiers")
    for classifier in classifiers if isinstance(classifiers, list) else ():
        if isinstance(classifier, str) and classifier.startswith(_LICENSE_CLASSIFIER):
            return _text(classifier.rpartition(" :: ")[2])
    return ""


def _links(info: Mapping[str, Any]) -> tuple[Link, ...]:
    """Return the project's links that lead to the web, each address once."""
    given = info.get("project_urls")
    labelled = dict(given) if isinstance(given, dict) else {}
    if info.get("home_page") and info["home_page"] not in labelled.values():
        labelled = {"Homepage": info["home_page"], **labelled}
    links = {}
    for label, url in labelled.items():
        if isinstance(url, str) and _is_web(url) and url not in links:
            links[url] = Link(_text(label) or urlsplit(url).netloc, url)
    return tuple(links.values())[:LINKS_KEPT]


def _is_web(url: str) -> bool:
    if len(url) > LINK_LENGTH or _CONTROL.search(url) or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _releases(given: object) -> dict[str, dt.date]:
    """Return the day of each release, the newest first: that of its first file's upload."""
    releases: dict[str, dt.date] = {}
    for version_text, files in given.items() if isinstance(given, dict) else ():
        days = [day for file in files if (day := _day(file))] if isinstance(files, list) else []
        if days and len(version_text) <= TEXT_LENGTH and not _CONTROL.search(version_text):
            releases[version_text] = min(days)
    ordered = sorted(releases.items(), key=lambda item: (item[1], item[0]), reverse=True)
    return dict(ordered[:RELEASES_KEPT])


def _day(file: object) -> dt.date | None:
    stamp = file.get("upload_time_iso_8601") if isinstance(file, dict) else None
    try:
        return dt.date.fromisoformat(str(stamp)[:10])
    except ValueError:
        return None


def _dependencies(given: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that are required, and those that some extra asks for alone."""
    required: set[str] = set()
    optional: set[str] = set()
    for text in given if isinstance(given, list) else ():
        try:
            requirement = Requirement(text)
            name = normalize_name(requirement.name)
        except (InvalidRequirement, InvalidNameError, TypeError, RecursionError):
            continue
        marker = _QUOTED.sub("", str(requirement.marker or ""))
        (optional if _EXTRA.search(marker) else required).add(name)
    return (
        tuple(sorted(required)[:DEPENDENCIES_KEPT]),
        tuple(sorted(optional - required)[:DEPENDENCIES_KEPT]),
    )
