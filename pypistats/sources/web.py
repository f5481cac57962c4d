"""SOURCE: HTTP within bounds. What is too large, too slow, cut or refused is a SourceError.

Servers elsewhere owe the site nothing: each answer is read only up to a size and for so long,
whatever its headers promise.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import requests
import urllib3

from pypistats.sources import SourceError

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long an answer may take, in seconds, and how many bytes it may have, unpacked.

    `idle` bounds the wait for each piece of it, `total` all of it.
    """

    total: float
    size: int
    connect: float = 5
    idle: float = 60


class Answer(NamedTuple):
    """What a server answered; the names of `headers` have any case."""

    status: int
    headers: Any
    content: bytes

    @property
    def text(self) -> str:
        """The beginning of the content on one line, for a message."""
        return " ".join(self.content[:2_000].decode("utf-8", "replace").split())[:300]


def request(
    session: requests.Session, method: str, url: str, *, bounds: Bounds, **options: Any
) -> Answer:
    """Send a request and return the answer, whatever its status; redirects are not followed.

    `options` are those of `requests`. Raises SourceError.
    """
    end = time.monotonic() + bounds.total
    timeout = (bounds.connect, min(bounds.idle, bounds.total))
    with (
        _facts(url),
        session.request(
            method, url, stream=True, timeout=timeout, allow_redirects=False, **options
        ) as response,
    ):
        content = b"".join(_pieces(response, url, bounds=bounds, end=end))
        return Answer(response.status_code, response.headers, content)


def _pieces(
    response: requests.Response, url: str, *, bounds: Bounds, end: float
) -> Iterator[bytes]:
    """Yield the content as it comes: `read1` waits for no more than there is."""
    size = 0
    while piece := response.raw.read1(_PIECE, decode_content=True):
        size += len(piece)
        if size > bounds.size:
            raise SourceError(f"{url} answers with more than {bounds.size:,} bytes")
        if time.monotonic() > end:
            raise SourceError(f"{url} takes more than {bounds.total:g} s to answer")
        yield piece


@contextmanager
def _facts(url: str) -> Iterator[None]:
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise SourceError(f"{url} does not answer: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    """Say what went wrong; of attempts that were given up, why, and not which address had them."""
    if error.args and isinstance(error.args[0], urllib3.exceptions.MaxRetryError):
        error = error.args[0].reason or error
    return " ".join(str(error).split())[:300] or type(error).__name__
