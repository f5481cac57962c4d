"""Flask-Caching's tier that all processes share: Redis, or a server that speaks its protocol.

Without it everything is slower and nothing fails: each method has an answer for when the server is
away, and after a failure it isn't asked for some seconds.
"""

import contextlib
import datetime as dt
import logging
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

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

READ_BYTES = 16 * 1024
"""What is read from the server at a time. Each connection has room for it, and each thread one."""

KEY_PREFIX = "pypistats:"

_GET_OR_CLAIM = """
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 1, #ARGV[1]) == ARGV[1] then return value end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
if redis.call('GET', KEYS[2]) == ARGV[2] then return 1 end
return 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

Command = tuple[str | bytes | int, ...]


class SharedCache(BaseCache):
    """Keeps bytes by key, and gives one caller of all processes the claim to make what is missing.

    `url` None is a cache that keeps nothing.
    """

    def __init__(self, url: str | None, *, pause: float = PAUSE) -> None:
        super().__init__()
        self._server = None if url is None else _Server(url)
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
        kept: bytes | None = self._ask(None, ("GET", KEY_PREFIX + key))
        return kept

    def set(self, key: str, value: bytes, timeout: int | dt.timedelta | None = None) -> bool:
        """Keep `value` for `timeout`, a number of seconds; return whether it is kept."""
        seconds = timeout.total_seconds() if isinstance(timeout, dt.timedelta) else timeout
        until = () if seconds is None else ("PX", round(seconds * 1000))
        return bool(self._ask(False, ("SET", KEY_PREFIX + key, value, *until)))

    def delete(self, key: str) -> bool:
        """Forget what is kept under `key`; return whether there was something."""
        return bool(self._ask(0, ("DEL", KEY_PREFIX + key)))

    def get_or_claim(self, claim: "Claim", mark: bytes, *, seconds: float) -> bytes | bool:
        """Return what is kept under the claim's key if it begins with `mark`, else claim the key.

        True means that the caller holds the claim, False that another does. It is void after
        `seconds`, so that one who died holds up nobody for longer. Without a server everyone has
        a claim.
        """
        milliseconds = int(seconds * 1000)
        keys = [claim.key, claim.lock]
        script = _script(_GET_OR_CLAIM, keys, mark, claim.token, milliseconds)
        found: bytes | int = self._ask(1, script)
        return found if isinstance(found, bytes) else bool(found)

    def finish(self, claim: "Claim", value: bytes, *, seconds: int) -> None:
        """Keep what the holder of a claim has made, and let the claim go.

        That is one trip, but not one script, for which a long value would be copied twice.
        """
        keep = ("SET", claim.key, value, "EX", seconds)
        self._ask(None, keep, _script(_RELEASE, [claim.lock], claim.token))

    def give_up(self, claim: "Claim") -> None:
        """Let a claim go without having made anything."""
        self._ask(None, _script(_RELEASE, [claim.lock], claim.token))

    def _ask(self, otherwise: Any, *commands: Command) -> Any:
        """Return the server's answer to the last command, or `otherwise` while it is away."""
        if self._server is None or not self._may_ask():
            return otherwise
        try:
            answer = self._server.ask(commands)
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


class _Server:
    """Sends commands to the server, each on a connection that no other thread uses meanwhile.

    The connections are redis-py's. What its client does around them takes three times as long as
    they do.
    """

    def __init__(self, url: str) -> None:
        # One try: a repeated one would wait a second time.
        self._connections = redis.ConnectionPool.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            client_name="pypistats",
            socket_read_size=READ_BYTES,
        )
        self._idle: list[Any] = []

    def ask(self, commands: Sequence[Command]) -> Any:
        """Return the server's answer to the last command. Raises RedisError.

        On a connection that has ended meanwhile the commands are sent in vain, and once more on
        the next one: each may come twice. To look first would be a trip to the system.
        """
        while self._idle:
            with contextlib.suppress(IndexError, redis.ConnectionError):
                return self._ask_on(self._idle.pop(), commands)
        return self._ask_on(self._connections.make_connection(), commands)

    def _ask_on(self, connection: Any, commands: Sequence[Command]) -> Any:
        try:
            packed = [part for command in commands for part in connection.pack_command(*command)]
            connection.send_packed_command([b"".join(packed)])
            answer = [connection.read_response() for _ in commands][-1]
        except BaseException:
            connection.disconnect()
            raise
        self._idle.append(connection)
        return answer


def _script(script: str, keys: Sequence[str], *values: bytes | int) -> Command:
    """Return the command that runs a script, which the server knows once it has read it."""
    return ("EVAL", script, len(keys), *keys, *values)


class Claim:
    """The right to make what belongs under a key, while the others wait."""

    def __init__(self, key: str) -> None:
        self.key = KEY_PREFIX + key
        self.lock = f"{self.key}:claim"
        self.token = secrets.token_bytes(8)
