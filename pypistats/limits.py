"""How much one client may ask for, by what an answer costs. Views and `answers` call `spend`.

What is cheap is counted in the process, since a trip to Redis would cost as much as the answer.
What is dear is counted in Redis for all processes, and in each while Redis is out of reach.
"""

import contextlib
import functools
import hashlib
import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import redis
from flask import Flask, Response, current_app, g, request
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.exceptions import TooManyRequests
from werkzeug.middleware.proxy_fix import ProxyFix

from pypistats.config import Quota

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask_limiter import Limiter


REDIS_SECONDS = 0.5
"""How long Redis may take to connect and to answer before the process counts by itself."""

UNCOUNTED = ("/health", "/ready", "/static/")
"""What monitors and browsers ask for again and again."""


class Cost(StrEnum):
    """What an answer takes: bytes that are there, a statement, a browser, a paid query."""

    CACHED = "cached"
    COMPUTED = "computed"
    RENDER = "render"
    FETCH = "fetch"


_SETTINGS = {cost: f"RATE_LIMIT_{cost.name}" for cost in Cost}
_WHAT = {
    Cost.CACHED: "answers",
    Cost.COMPUTED: "answers that are computed",
    Cost.RENDER: "pictures that are drawn",
    Cost.FETCH: "packages that are fetched",
}


class _Client(NamedTuple):
    """Who asks; `factor` raises the quotas, and is None for who may ask without end."""

    key: str
    factor: int | None


class _Spent(NamedTuple):
    """What a request took of a quota: what remains, and in how many seconds all is back."""

    cost: Cost
    quota: Quota
    remaining: int
    seconds: int


class _TrustedProxies(ProxyFix):
    """A WSGI layer that takes a request for what the proxies before the site say of it.

    Each adds to `X-Forwarded-For`. Few do to `X-Forwarded-Proto`, so its last value counts, and
    only if it is a scheme: it gets into links of answers that caches give to others.
    """

    def __init__(self, app: "WSGIApplication", proxies: int) -> None:
        super().__init__(app, x_for=proxies, x_proto=0)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer the request as the first proxy got it."""
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        return super().__call__(environ, start_response)


def register_limits(app: Flask) -> None:
    """Count every request, and believe as many proxies as the settings say about its sender."""
    if app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = _TrustedProxies(app.wsgi_app, app.config["TRUSTED_PROXIES"])  # type: ignore[method-assign]
    app.extensions["limits"] = _Limits(app)
    app.before_request(_count)
    app.after_request(_tell)


def spend(cost: Cost) -> None:
    """Take one answer from the client's quota for such. Raises TooManyRequests.

    The answer's headers then tell what remains.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    spent = _spend(app, cost, _client)
    if spent is None:
        return
    g.setdefault("spent", []).append(spent)
    if spent.remaining < 0:
        raise TooManyRequests(
            f"One client may have {spent.quota.amount:,} {_WHAT[cost]} in {spent.quota.seconds:,}"
            f" seconds. Ask again in {spent.seconds:,} seconds.",
            retry_after=spent.seconds,
        )


def admit(app: Flask, environ: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Count an answer that is sent before Flask is asked; return the headers that tell of it.

    None means that it is one too many, for Flask to refuse.
    """
    spent = _spend(app, Cost.CACHED, lambda: _client_of(app, environ))
    if spent is None:
        return []
    return None if spent.remaining < 0 else [*_fields([spent]).items()]


def _spend(app: Flask, cost: Cost, client_of: Callable[[], _Client]) -> _Spent | None:
    """Take one answer from the quota of a client; None for who may ask without end."""
    quota: Quota | None = app.config[_SETTINGS[cost]]
    if quota is None:
        return None
    client = client_of()
    if client.factor is None:
        return None
    quota = quota._replace(amount=quota.amount * client.factor)
    return cast(_Limits, app.extensions["limits"]).spend(cost, quota, client.key)


def _count() -> None:
    if not request.path.startswith(UNCOUNTED):
        spend(Cost.CACHED)


def _tell(response: Response) -> Response:
    spent: list[_Spent] = g.get("spent", [])
    if spent:
        response.headers.update(_fields(spent))
    if response.status_code == TooManyRequests.code:
        # It is one client's own, so no shared cache may give it to another.
        response.headers["Cache-Control"] = "no-store"
    return response


def _fields(spent: Sequence[_Spent]) -> dict[str, str]:
    """Return the fields of draft-ietf-httpapi-ratelimit-headers, with a member for each quota."""
    return {
        "RateLimit-Policy": ", ".join(
            f'"{each.cost}";q={each.quota.amount};w={each.quota.seconds}' for each in spent
        ),
        "RateLimit": ", ".join(
            f'"{each.cost}";r={max(0, each.remaining)};t={each.seconds}' for each in spent
        ),
    }


def _client() -> _Client:
    client: _Client | None = g.get("client")
    if client is None:
        client = g.client = _client_of(current_app, request.environ)
    return client


def _client_of(app: Flask, environ: Mapping[str, Any]) -> _Client:
    """Return who bears one of the settings' tokens, or else whom the address belongs to."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        digest = hashlib.sha256(token.encode()).hexdigest()
        tokens: dict[str, int | None] = app.config["RATE_LIMIT_TOKENS"] or {}
        if digest in tokens:
            return _Client(digest, tokens[digest])
    return _Client(_network(environ.get("REMOTE_ADDR", "")), 1)


def _network(address: str) -> str:
    """Return the address, or the half of an IPv6 address that its owner can't choose.

    One of IPv4 is the same in either way of writing: a socket of IPv6 has it as ::ffff:192.0.2.1.
    """
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
        return str(parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed), 64), strict=False))
    except ValueError:
        return address


class _Limits:
    """An app's counters."""

    def __init__(self, app: Flask) -> None:
        self._windows = {Cost.CACHED: _Window(), Cost.COMPUTED: _Window()}
        self._address = app.config["REDIS_URL"]

    @functools.cached_property
    def _limiter(self) -> "Limiter":
        return _limiter(self._address)

    @functools.cached_property
    def _shared(self) -> dict[Cost, Callable[[], None]]:
        return {
            cost: self._limiter.shared_limit(_limit_text, scope=cost)(count)
            for cost, count in _COUNTED.items()
        }

    def spend(self, cost: Cost, quota: Quota, client: str) -> _Spent:
        """Count one answer; `remaining` is negative when it is one too many."""
        window = self._windows.get(cost)
        if window is not None:
            remaining, seconds = window.count(client, quota)
            return _Spent(cost, quota, remaining, seconds)
        from flask_limiter import RateLimitExceeded  # noqa: PLC0415

        g.limited = quota
        try:
            self._shared[cost]()
        except RateLimitExceeded:
            return _Spent(cost, quota, -1, self._reset(quota)[1])
        return _Spent(cost, quota, *self._reset(quota))

    def _reset(self, quota: Quota) -> tuple[int, int]:
        """Return what remains of the quota that was just counted, and the seconds to its reset.

        If Redis has gone since, the whole of it remains: the process begins to count.
        """
        limit = self._limiter.current_limit
        with contextlib.suppress(redis.RedisError):
            if limit is not None:
                return limit.remaining, max(1, int(limit.reset_at - time.time()))
        return quota.amount, quota.seconds


def _limiter(address: str | None) -> "Limiter":
    """Make a limiter on Redis that counts in the process while it is away.

    It is bound to an app of its own: its hooks would cost every cached answer 26 microseconds, and
    what counts an answer needs none of them. Most processes give no dear answer, and import none.
    """
    from flask_limiter import Limiter  # noqa: PLC0415

    options = {
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    return Limiter(
        lambda: _client().key,
        app=Flask(__name__),
        storage_uri=(address or "memory://").replace("unix://", "redis+unix://"),
        storage_options=cast(dict[str, str | int], options) if address else None,
        strategy="fixed-window",
        in_memory_fallback_enabled=True,
    )


def _limit_text() -> str:
    quota: Quota = g.limited
    return f"{quota.amount} per {quota.seconds} second"


def _count_render() -> None:
    """Count a picture: the limiter knows what it counts by the function's name."""


def _count_fetch() -> None:
    """Count a fetch."""


_COUNTED: dict[Cost, Callable[[], None]] = {Cost.RENDER: _count_render, Cost.FETCH: _count_fetch}


class _Window:
    """Counts by client in windows of the clock, the last of which alone is kept.

    Threads may miss each other's count now and then, which a limit against abuse can bear.
    """

    def __init__(self) -> None:
        self._slot = 0
        self._counts: dict[str, int] = {}

    def count(self, client: str, quota: Quota) -> tuple[int, int]:
        """Count one; return what remains, negative when nothing did, and the window's rest."""
        slot, past = divmod(int(time.time()), quota.seconds)
        if slot != self._slot:
            self._slot, self._counts = slot, {}
        count = self._counts[client] = self._counts.get(client, 0) + 1
        return quota.amount - count, quota.seconds - past
