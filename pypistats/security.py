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
    "Access-Control-Expose-Headers": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Lets other sites show an answer, and their scripts read it, headers and errors included."""

OWN_ORIGIN = {"Cross-Origin-Resource-Policy": "same-origin"}

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization",
}
"""What a browser wants to know before it sends what a script adds; a star lets no token pass."""

OPEN = ("/api/", "/badge/", "/openapi.yaml")
"""What any site may have: READMEs show our badges and charts, scripts read the API."""


def register_security(app: Flask) -> None:
    """Give every answer of the app its headers."""
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    own = dict(response.headers.to_wsgi_list())
    added = _headers(
        is_page=own.get("Content-Type", "").startswith("text/html"),
        is_open=request.path.startswith(OPEN),
        is_preflight=request.method == "OPTIONS",
    )
    response.headers.extend([item for item in added if item[0] not in own])
    return response


@functools.cache
def _headers(*, is_page: bool, is_open: bool, is_preflight: bool) -> list[tuple[str, str]]:
    headers = {**HEADERS, "Content-Security-Policy": PAGE_POLICY if is_page else DATA_POLICY}
    headers |= ANY_ORIGIN if is_open else OWN_ORIGIN
    if is_open and is_preflight:
        headers |= PREFLIGHT
    return list(headers.items())
