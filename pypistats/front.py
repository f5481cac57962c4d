"""PRESENT: HTTP's caching rules for kept answers, and a short way to those in this process.

A client, a proxy or a CDN may keep what is sent until newer data is expected, and ask with what it
has whether that still holds. An answer that this process holds is sent before Flask is asked.
"""

import datetime as dt
import email.utils
import functools
import re
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pypistats import encodings
from pypistats.kept import Answer, AnswerKeeper, Scope
from pypistats.queries import DataRevision
from pypistats.schedule import OPENS, last_open_day

UNTIL_LATE_DATA = 300
"""Seconds to keep an answer for when newer data may come at any moment."""

LEAST_SECONDS = 60
"""The shortest time to keep an answer for: the clock is read once a minute."""

KNOWN_SECONDS = 60.0
"""After so long an address is Flask's again, so that what stands around the views has its turn."""

_DAY = dt.timedelta(days=1)

MOST_TARGETS, LONGEST_TARGET = 20_000, 1_000
"""How many addresses a process knows the answers of, and the characters that one may have: whatever
stands in it that means nothing, the answer is the same, and any number of them are made up."""

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_REPLACED = frozenset(
    ("content-length", "content-encoding", "etag", "last-modified", "cache-control")
)
_ONE_CLIENTS = frozenset(("ratelimit", "ratelimit-policy", "set-cookie"))
"""Headers that only the client gets that they were made for."""

_NOT_KEPT = _REPLACED | _ONE_CLIENTS

_ON_UNMODIFIED = frozenset(("Access-Control-Allow-Origin",))
"""Headers that a 304 repeats: those of the answer that it is about stay as they were."""

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
HeaderList = list[tuple[str, str]]
_Target = tuple[str, str, str | None, str]


class Policy(NamedTuple):
    """For how many seconds an answer may be kept.

    `max_age` is for a browser. A shared cache keeps it for `shared`; None means until newer data
    is expected, which then bounds `max_age` as well. Past that it may be used for `revalidate`
    while a new one is being fetched, and for `error` while that fails.
    """

    max_age: int
    shared: int | None = None
    revalidate: int = 600
    error: int = 3 * 86_400

    def header(self, until_data: int) -> str:
        """Return the Cache-Control header, `until_data` seconds before newer data is expected."""
        shared = until_data if self.shared is None else self.shared
        return (
            f"public, max-age={min(self.max_age, shared)}, s-maxage={shared},"
            f" stale-while-revalidate={self.revalidate}, stale-if-error={self.error}"
        )


DATA = Policy(max_age=300)
"""Whatever is made of the data: a browser asks again after five minutes."""

STALE = Policy(max_age=0, shared=10, revalidate=60)
"""An answer from before, given since the new one could not be made."""


class Clock:
    """Knows how long it is until newer data is expected, to the minute."""

    def __init__(self) -> None:
        self._headers: dict[Policy, str] = {}
        self._minute = 0
        self._current: DataRevision | None = None

    def header(self, policy: Policy, current: DataRevision | None) -> str:
        """Return the Cache-Control header of a policy now."""
        minute = int(time.time()) // 60
        if minute != self._minute or current is not self._current:
            self._headers = {}
            self._minute, self._current = minute, current
        header = self._headers.get(policy)
        if header is None:
            last_day = current and current.last_day
            now = dt.datetime.fromtimestamp(minute * 60, dt.UTC)
            header = self._headers[policy] = policy.header(until_data(now, last_day))
        return header


def until_data(now: dt.datetime, last_day: dt.date | None) -> int:
    """Return the seconds until data newer than `last_day` is expected.

    That is when the schedule may load the next day; while one is late, it can come at any moment.
    """
    if last_day is None or last_day < last_open_day(now):
        return UNTIL_LATE_DATA
    opens = dt.datetime.combine(last_day, dt.time(), dt.UTC) + 2 * _DAY + OPENS
    return max(LEAST_SECONDS, int((opens - now).total_seconds()))


class Prepared:
    """How an answer is sent from one address: its status, headers and variants.

    A Cache-Control among the headers goes before the policy. The answer itself is not held: it can
    go when its process needs the room.
    """

    __slots__ = ("_cache_control", "_headers", "_policy", "_status", "_variants", "key", "scope")

    def __init__(
        self, key: str, scope: Scope, *, policy: Policy, status: str, headers: HeaderList
    ) -> None:
        self.key = key
        self.scope = scope
        self._policy = policy
        self._status = status
        self._cache_control = next((item for item in headers if item[0] == "Cache-Control"), None)
        kept = tuple(item for item in headers if item[0].lower() not in _NOT_KEPT)
        self._headers = _shared_headers(kept)
        self._variants: dict[str, _Variant] = {}

    def respond(
        self,
        answer: Answer,
        environ: Environ,
        start_response: StartResponse,
        *,
        front: "Front",
        own: HeaderList,
    ) -> Iterable[bytes]:
        """Send the answer in the client's encoding, or tell that what it has still holds.

        `own` are headers for this client alone.
        """
        encoding = encodings.IDENTITY
        if answer.is_compressible:
            encoding = encodings.chosen(environ.get("HTTP_ACCEPT_ENCODING", ""))
        body = answer.variants.get(encoding)
        if body is None:
            body = answer.add(encoding)
            front.keeper.keep_variant(self.key, answer)
        variant = self._variants.get(encoding) or self._prepare(answer, encoding, len(body))
        cache_control = self._cache_control or front.cache_control(self._policy)
        if self._status == "200 OK" and _is_unmodified(environ, variant.etag, answer.modified):
            start_response("304 Not Modified", [*variant.unmodified_headers, cache_control, *own])
            return []
        start_response(self._status, [*variant.headers, cache_control, *own])
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        # A list, since granian sends any other iterable piece by piece.
        return [body]

    def _prepare(self, answer: Answer, encoding: str, length: int) -> "_Variant":
        """Write an answer's headers."""
        etag = f'"{answer.digest}"'
        added = [("Content-Length", str(length))]
        if encoding != encodings.IDENTITY:
            etag = f'"{answer.digest}-{encoding}"'
            added.append(("Content-Encoding", encoding))
        validators = [("ETag", etag), ("Last-Modified", answer.modified)]
        if answer.is_compressible:
            validators.append(("Vary", "Accept-Encoding"))
        kept = [item for item in self._headers if item[0] in _ON_UNMODIFIED]
        headers = [*self._headers, *added, *validators]
        variant = self._variants[encoding] = _Variant(etag, headers, [*kept, *validators])
        return variant


def own_headers(headers: HeaderList) -> HeaderList:
    """Return the headers that only the client gets whose request this is."""
    return [item for item in headers if item[0].lower() in _ONE_CLIENTS]


@functools.lru_cache(maxsize=256)
def _shared_headers(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the first of equal headers: without it, each answer takes 1 KiB more."""
    return headers


class _Variant(NamedTuple):
    """The headers of one encoding of an answer."""

    etag: str
    headers: HeaderList
    unmodified_headers: HeaderList


class Front:
    """A WSGI layer before Flask that sends the answers that are in this process.

    It learns an address when Flask answers it, so that the rules by which addresses and parameters
    are read stand in the views alone. `admit` counts a request and gives the headers that tell
    its client of that; None has Flask refuse it.
    """

    def __init__(
        self, app: Application, keeper: AnswerKeeper, admit: Callable[[Environ], HeaderList | None]
    ) -> None:
        self.keeper = keeper
        self._app = app
        self._admit = admit
        self._clock = Clock()
        self._targets: dict[_Target, tuple[weakref.ref[Answer], Prepared, float]] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer from this process, or pass the request on."""
        found = self._targets.get(_target(environ))
        if found is not None and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            kept, prepared, until = found
            answer = kept() if time.monotonic() < until else None
            current = self.keeper.watch.current()
            if answer is not None and current and answer.holds(current, prepared.scope):
                own = self._admit(environ)
                if own is not None:
                    self.keeper.shelf.touch(prepared.key)
                    return prepared.respond(answer, environ, start_response, front=self, own=own)
        return self._app(environ, start_response)

    def remember(self, environ: Environ, answer: Answer, prepared: Prepared) -> None:
        """Send this answer to whoever asks for the same address, for a while."""
        target = _target(environ)
        if len(target[0]) + len(target[1]) > LONGEST_TARGET:
            return

        def forget(gone: weakref.ref[Answer]) -> None:
            known = self._targets.get(target)
            if known is not None and known[0] is gone:
                self._targets.pop(target, None)

        until = time.monotonic() + KNOWN_SECONDS
        self._targets[target] = weakref.ref(answer, forget), prepared, until
        while len(self._targets) > MOST_TARGETS:
            # Another thread may have dropped it meanwhile.
            self._targets.pop(next(iter(self._targets)), None)

    def __len__(self) -> int:
        """Return how many addresses it knows the answers of: none whose answer has gone."""
        return len(self._targets)

    def cache_control(self, policy: Policy) -> tuple[str, str]:
        """Return the header that tells how long an answer may be kept from now."""
        return "Cache-Control", self._clock.header(policy, self.keeper.watch.known)


def _target(environ: Environ) -> _Target:
    """Return what tells addresses apart, the host included: pages have links with it."""
    return (
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        environ.get("HTTP_HOST"),
        environ["wsgi.url_scheme"],
    )


def _is_unmodified(environ: Environ, etag: str, modified: str) -> bool:
    """Tell whether what the client has is what would be sent. Tags go before the time."""
    tags = environ.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        return tags == etag or tags.strip() == "*" or etag in _TAG.findall(tags)
    since = environ.get("HTTP_IF_MODIFIED_SINCE")
    if since is None:
        return False
    return since == modified or _is_not_before(since, modified)


def _is_not_before(since: str, modified: str) -> bool:
    try:
        return email.utils.parsedate_to_datetime(since) >= email.utils.parsedate_to_datetime(
            modified
        )
    except (TypeError, ValueError, OverflowError):
        return False
