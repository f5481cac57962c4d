"""Flask-Caching's tier that all processes share: Redis, or a server that speaks its protocol.

Without it everything is slower and nothing fails: each method has an answer for when the server is
away, and after a failure it isn't asked for some seconds.
"""

import datetime as dt
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import redis
from flask import Flask
from flask_caching.backends.base import BaseCache
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

TIMEOUT = 0.25
"""Seconds to wait for the server, which is near and takes far less than a millisecond."""

PAUSE = 5.0
"""Seconds for which a server that failed is left alone."""

KEY_PREFIX = "pypistats:"

_GET_OR_CLAIM = """
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 1, #ARGV[1]) == ARGV[1] then return value end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
return 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

Value = TypeVar("Value")


class SharedCache(BaseCache):
    """Keeps bytes by key, and gives one caller of all processes the claim to make what is missing.

    `url` None is a cache that keeps nothing.
    """

    def __init__(self, url: str | None, *, pause: float = PAUSE) -> None:
        super().__init__()
        self._client: redis.Redis | None = None
        if url is not None:
            # One try: a repeated one would wait a second time.
            self._client = redis.Redis.from_url(
                url,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
                client_name="pypistats",
            )
            self._get_or_claim = self._client.register_script(_GET_OR_CLAIM)
            self._release = self._client.register_script(_RELEASE)
        self._pause = pause
        self._away_until = 0.0
        self._failing = False
        self._lock = threading.Lock()

    @classmethod
    def factory(cls, _app: Flask, config: Mapping[str, Any], *_options: object) -> Self:
        """Make the cache that the app's settings describe, as Flask-Caching asks for it."""
        return cls(config["REDIS_URL"])

    def get(self, key: str) -> bytes | None:
        """Return what is kept under `key`; None for nothing."""
        kept: bytes | None = self._ask(lambda client: client.get(KEY_PREFIX + key), None)
        return kept

    def set(self, key: str, value: bytes, timeout: int | dt.timedelta | None = None) -> bool:
        """Keep `value` for `timeout`, a number of seconds; return whether it is kept."""
        kept: bool = self._ask(lambda client: client.set(KEY_PREFIX + key, value, timeout), False)
        return kept

    def delete(self, key: str) -> bool:
        """Forget what is kept under `key`; return whether there was something."""
        deleted: int = self._ask(lambda client: client.delete(KEY_PREFIX + key), 0)
        return bool(deleted)

    def get_or_claim(self, claim: "Claim", mark: bytes, *, seconds: float) -> bytes | bool:
        """Return what is kept under the claim's key if it begins with `mark`, else claim the key.

        True means that the caller holds the claim, False that another does. It is void after
        `seconds`, so that one who died holds up nobody for longer. Without a server everyone has
        a claim.
        """
        found: bytes | int = self._ask(
            lambda _: self._get_or_claim(
                keys=[claim.key, claim.lock], args=[mark, claim.token, int(seconds * 1000)]
            ),
            1,
        )
        return found if isinstance(found, bytes) else bool(found)

    def finish(self, claim: "Claim", value: bytes, *, seconds: int) -> None:
        """Keep what the holder of a claim has made, and let the claim go."""

        def write(client: redis.Redis) -> None:
            pipeline = client.pipeline(transaction=False)
            pipeline.set(claim.key, value, seconds)
            self._release(keys=[claim.lock], args=[claim.token], client=pipeline)
            pipeline.execute()

        self._ask(write, None)

    def give_up(self, claim: "Claim") -> None:
        """Let a claim go without having made anything."""
        self._ask(lambda _: self._release(keys=[claim.lock], args=[claim.token]), None)

    def _ask(self, question: Callable[[redis.Redis], Any], otherwise: Any) -> Any:
        """Return the server's answer, or `otherwise` while it is away."""
        if self._client is None or not self._may_ask():
            return otherwise
        try:
            answer = question(self._client)
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + self._pause
            if not self._failing:
                logger.warning("the shared cache is away, each process keeps its own: %s", error)
            self._failing = True
            return otherwise
        if self._failing:
            logger.info("the shared cache is back")
            self._failing = False
        return answer

    def _may_ask(self) -> bool:
        """Tell whether to ask. When the pause is over, one caller tries and the others don't."""
        now = time.monotonic()
        if not self._failing:
            return True
        with self._lock:
            if now < self._away_until:
                return False
            self._away_until = now + self._pause
            return True


class Claim:
    """The right to make what belongs under a key, while the others wait."""

    def __init__(self, key: str) -> None:
        self.key = KEY_PREFIX + key
        self.lock = f"{self.key}:claim"
        self.token = secrets.token_bytes(8)
