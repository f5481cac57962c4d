"""QUERY: the connections that a process reads by: few, opened when they are needed, and kept.

They are the driver's own. SQLAlchemy's pool would be all that a web process has SQLAlchemy for,
which takes 22 MiB and half of the time to start.
"""

import contextlib
import threading
from collections.abc import Mapping
from typing import Any

import orjson
import psycopg2
from psycopg2.extensions import connection as DriverConnection  # noqa: N812
from psycopg2.extras import register_default_json, register_default_jsonb

CONNECTING: Mapping[str, Any] = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "pypistats",
}
"""How each connection is opened. Where the other end has gone without a word, the keepalives end a
wait for it; Linux sends none while what was sent is not yet received there, and `tcp_user_timeout`,
in milliseconds, ends that one."""

WAIT_SECONDS = 5
"""How long a thread waits for a connection while others have them all."""


class NoConnectionError(psycopg2.OperationalError):
    """Others have had all connections for too long."""


class Connection(DriverConnection):
    """A connection on which each statement stands alone, and what its session knows.

    `prepared` are the names of the statements that were prepared. Connections of one `generation`
    are replaced together.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.autocommit = True
        self.prepared: set[str] = set()
        self.generation = 0
        register_default_json(self, loads=orjson.loads)
        register_default_jsonb(self, loads=orjson.loads)


class Connections:
    """Up to so many connections. Those that were used last are used first: they have what they
    know of the tables at hand.

    `prepares` tells whether statements are prepared that are sent often.
    """

    def __init__(self, url: str, *, most: int, prepares: bool) -> None:
        self.prepares = prepares
        self._url = url
        self._places = threading.BoundedSemaphore(most)
        self._idle: list[Connection] = []
        self._generation = 0

    def take(self) -> Connection:
        """Return a connection that is the caller's until `give_back`.

        Raises psycopg2's OperationalError when none can be had.
        """
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise NoConnectionError("all connections to the database are in use")
        try:
            connection = self._last_used() or self._opened()
        except BaseException:
            self._places.release()
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """Have a connection used again, unless it is closed or replaced."""
        if connection.closed or connection.generation != self._generation:
            connection.close()
        else:
            self._idle.append(connection)
        self._places.release()

    def replace(self) -> None:
        """Use none again that was opened before."""
        self._generation += 1
        while (connection := self._last_used()) is not None:
            connection.close()

    def _last_used(self) -> Connection | None:
        # Another thread may have taken it since it was seen.
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return None

    def _opened(self) -> Connection:
        generation = self._generation
        connection: Connection = psycopg2.connect(
            self._url, connection_factory=Connection, **CONNECTING
        )
        connection.generation = generation
        return connection
