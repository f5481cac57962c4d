"""The least that a WSGI server can be asked for, to compare with."""

from collections.abc import Callable
from typing import Any


def make_app() -> Callable[..., list[bytes]]:
    """Return the app."""
    return _hello


def _hello(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
