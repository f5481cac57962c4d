"""PRESENT: the headers that keep a browser from doing what the site never asks for.

They are on every answer. A view that needs another policy sets its own.
"""

import functools

from flask import Flask, Response, request

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""For answers that are no page: they load nothing, wherever they are opened."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(),"
    " payment=(), usb=()",
}

ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
}
"""Lets scripts on any site read the API, its errors included."""

API = "/api/"
EMBEDDED = (API, "/badge/")
"""What other sites' pages may show: READMEs have our badges and charts, scripts read the API."""


def register_security(app: Flask) -> None:
    """Give every answer of the app its headers."""
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    own = dict(response.headers.to_wsgi_list())
    path = request.path
    added = _headers(
        is_page=own.get("Content-Type", "").startswith("text/html"),
        is_api=path.startswith(API),
        is_embedded=path.startswith(EMBEDDED),
    )
    response.headers.extend([item for item in added if item[0] not in own])
    return response


@functools.cache
def _headers(*, is_page: bool, is_api: bool, is_embedded: bool) -> list[tuple[str, str]]:
    headers = ANY_ORIGIN if is_api else {}
    headers = headers | HEADERS
    headers["Content-Security-Policy"] = PAGE_POLICY if is_page else DATA_POLICY
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if is_embedded else "same-origin"
    return list(headers.items())
