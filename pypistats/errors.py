"""Errors that a person or a client sees. The path decides how.

JSON under /api/, a badge under /badge/, so that a README shows no broken picture, else a page.
"""

import logging
import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import psycopg2
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    InternalServerError,
    NotFound,
    ServiceUnavailable,
)

from pypistats import badges, package_lists, queries, spelling
from pypistats.catalog import is_normal_name
from pypistats.migrations import NOT_MIGRATED
from pypistats.package_lists import RankedPlace
from pypistats.queries import PackageNotFoundError
from pypistats.render import RenderUnavailableError

logger = logging.getLogger(__name__)

RETRY_AFTER = 30
"""Seconds after which a client may ask again when the database was out of reach."""


LONGEST_REFRESH = 60
"""Seconds up to which a page that waits for something loads again by itself."""

NEAR, NEAR_LETTERS = 8, 3
"""How many names are offered for one that isn't here, and how many letters they share."""


class ParameterError(ValueError):
    """A parameter has a value that it can't have."""

    def __init__(self, parameter: str, accepts: str) -> None:
        super().__init__(f"{parameter} takes {accepts}")
        self.parameter = parameter


class NotReadyError(Exception):
    """What is asked for is not there yet; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


Fact = TypeVar("Fact")

_FAULTS = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.InternalError,
    psycopg2.NotSupportedError,
    psycopg2.ProgrammingError,
)
"""Errors of a statement; the others are those of a connection."""


class ErrorDocument(NamedTuple):
    """What an error says; `parameter` is the one at fault, None where none is."""

    status: int
    name: str
    message: str
    parameter: str | None


def register_errors(app: Flask) -> None:
    """Answer every error in the one shape of its part of the site."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ParameterError, _parameter_error)
    app.register_error_handler(PackageNotFoundError, _package_not_found)
    app.register_error_handler(NotReadyError, _not_ready)
    app.register_error_handler(RenderUnavailableError, _render_unavailable)
    app.register_error_handler(psycopg2.Error, _database_error)


def _http_error(error: HTTPException) -> Response:
    document = ErrorDocument(
        error.code or InternalServerError.code, error.name, error.description or error.name, None
    )
    answer = _answer(document)
    for name, value in error.get_headers(request.environ):
        if name in ("Allow", "Retry-After", "Location"):
            answer.headers[name] = value
    return answer


def _parameter_error(error: ParameterError) -> Response:
    return _answer(
        ErrorDocument(BadRequest.code, "Bad Request", f"{error}.", error.parameter),
    )


def _package_not_found(error: PackageNotFoundError) -> Response:
    message = _why_not_here(error.package).format(_shortened(error.package))
    return _answer(ErrorDocument(NotFound.code, "Not Found", message, None), asked=error.package)


def _not_ready(error: NotReadyError) -> Response:
    """Answer when to ask again; a page then asks by itself if that is soon, without script."""
    g.refresh = error.retry_after if error.retry_after <= LONGEST_REFRESH else None
    answer = _http_error(ServiceUnavailable(str(error), retry_after=error.retry_after))
    if g.refresh and answer.mimetype == "text/html":
        answer.headers["Refresh"] = str(g.refresh)
    return answer


def _render_unavailable(error: RenderUnavailableError) -> Response:
    return _http_error(ServiceUnavailable(str(error), retry_after=error.retry_after))


def _why_not_here(package: str) -> str:
    """Say what is known of a package without data, as a text with a place for its name."""
    known = _found_out(lambda: queries.is_known_name(package)) if is_normal_name(package) else False
    if known:
        return "PyPI has a package named '{}', but no download of it is loaded here so far."
    return "There is no package named '{}' here."


def _found_out(ask: Callable[[], Fact]) -> Fact | None:
    """Return what else there is to say of a package that is not here; None if it can't be read.

    That the package is not here is known, whatever becomes of the database since.
    """
    try:
        return ask()
    except psycopg2.Error as error:
        logger.warning("%s: nothing more can be found out: %s", request.path, _first_line(error))
        return None


def _database_error(error: psycopg2.Error) -> Response:
    """Tell what passes, as a database out of reach or not yet migrated, from a failed statement."""
    if isinstance(error, NOT_MIGRATED):
        logger.error("%s: `flask db upgrade` is to be run: %s", request.path, _first_line(error))
        message = "The database is being set up. Try again soon."
        return _http_error(ServiceUnavailable(message, retry_after=RETRY_AFTER))
    if isinstance(error, _FAULTS):
        logger.error("%s: a statement failed", request.path, exc_info=error)
        return _http_error(InternalServerError())
    logger.error("%s: the database is out of reach: %s", request.path, _first_line(error))
    return _http_error(
        ServiceUnavailable("The database is out of reach. Try again soon.", retry_after=RETRY_AFTER)
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _shortened(name: str, longest: int = 80) -> str:
    return name if len(name) <= longest else f"{name[:longest]}…"


def _answer(document: ErrorDocument, asked: str = "") -> Response:
    if request.path.startswith("/api/"):
        answer = jsonify({"error": document._asdict()})
    elif request.path.startswith("/badge/"):
        answer = _badge(document)
    else:
        near = (_found_out(lambda: _near(asked)) or []) if asked else []
        page = render_template("errors/error.html", error=document, asked=asked[:80], near=near)
        answer = make_response(page)
    answer.status_code = document.status
    return answer


def _near(asked: str) -> list[RankedPlace]:
    """Return the packages that a name which isn't here may mean, the most downloaded first.

    Where no slip of the fingers makes one of it, they are those that begin as it does.
    """
    name = re.sub(r"[^a-z0-9]+", "-", asked[:80].lower()).strip("-")
    found = package_lists.found_among(spelling.neighbours(name), limit=NEAR)
    if not found and name:
        found = package_lists.search(name[:NEAR_LETTERS], limit=NEAR)
    return [
        RankedPlace(rank, package.name, package.last_month, None)
        for rank, package in enumerate(found, start=1)
    ]


def _badge(document: ErrorDocument) -> Response:
    badge = badges.error_badge(
        document.status,
        document.message,
        parameter=document.parameter,
        style=request.args.get("style", "").lower(),
    )
    return Response(badges.svg(badge), mimetype=badges.MIMETYPE)
