"""PRESENT: the headers that keep a browser from doing what the site never asks for.

They are on every answer. A view that needs another policy sets its own.
"""

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

EMBEDDED = ("/api/", "/badge/")
"""What other sites' pages may show: READMEs have our badges and charts, scripts read the API."""


def register_security(app: Flask) -> None:
    """Give every answer of the app its headers."""
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    policy = PAGE_POLICY if response.mimetype == "text/html" else DATA_POLICY
    embedded = request.path.startswith(EMBEDDED)
    headers = HEADERS | {
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "cross-origin" if embedded else "same-origin",
    }
    # To look for each name on its own would be a tenth of what an answer takes.
    own = {name.lower() for name, _ in response.headers}
    for name, value in headers.items():
        if name.lower() not in own:
            response.headers.add(name, value)
    return response
