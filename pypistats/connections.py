"""QUERY: the connections that a process reads by: few, opened when they are needed, and kept.

They are the driver's own. SQLAlchemy's pool would be all that a web process has SQLAlchemy for,
which takes 22 MiB and half of the time to start.

In a web process each wait for the database has a bound, whatever has become of it.
`statement_timeout` would be a setting of the session, which a pooler does not take, and a
PostgreSQL that is frozen keeps no time. So a thread watches, and shuts the socket of a statement
that takes too long. (psycopg2's `cancel` would stop all threads until PostgreSQL hears it.)
"""

import contextlib
import logging
import math
import os
import socket
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import psycopg2
from psycopg2.extensions import connection as DriverConnection  # noqa: N812
from psycopg2.extensions import cursor as DriverCursor  # noqa: N812
from psycopg2.extras import register_default_json, register_default_jsonb

logger = logging.getLogger(__name__)

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

STATEMENT_SECONDS = 10.0
"""How long a statement may take. The slowest take a second, while a month's table is exchanged."""

WAIT_SECONDS = 5
"""How long a thread waits for a connection while others have them all."""

STUCK_SECONDS = 2.0
"""Once all connections have been at their statements for so long, nobody waits for one."""

GLANCE_SECONDS = 0.25
"""How often waits are looked at."""

SILENCE_SECONDS = 1.0
"""A try to connect that fails after so long has had no answer. From then on one thread tries at a
time, and the others are refused, so that they can do what takes no database."""

_END = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where pid = any(%s) and state = 'active' and query_start < now() - make_interval(secs => %s)"
)


class NoConnectionError(psycopg2.OperationalError):
    """Others have had all connections for too long, or the database gives none."""


class NoAnswerError(psycopg2.OperationalError):
    """A statement took too long."""


class Connection(DriverConnection):
    """A connection on which each statement stands alone, and what its session knows.

    `prepared` are the names of the statements that were prepared. Connections of one `generation`
    are replaced together. `began` is when the statement that is under way was sent,
    infinite for none.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.autocommit = True
        self.prepared: set[str] = set()
        self.generation = 0
        self.began = math.inf
        self.is_given_up = False
        self.cursor_factory = _Cursor
        register_default_json(self, loads=orjson.loads)
        register_default_jsonb(self, loads=orjson.loads)

    def give_up(self) -> None:
        """Have the thread that waits for an answer told that there is none."""
        self.is_given_up = True
        with (
            contextlib.suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(self.fileno())) as same,
        ):
            same.shutdown(socket.SHUT_RDWR)


class _Cursor(DriverCursor):
    """Notes on its connection since when a statement is under way."""

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002
        connection: Any = self.connection
        connection.began = time.monotonic()
        try:
            super().execute(query, vars)
        except psycopg2.Error as error:
            if connection.is_given_up:
                raise NoAnswerError("a statement took too long") from error
            raise
        finally:
            connection.began = math.inf


class Connections:
    """Up to so many connections. Those that were used last are used first: they have what they
    know of the tables at hand.

    `prepares` tells whether statements are prepared that are sent often. `longest` is how many
    seconds one may take, None for as long as it likes.
    """

    def __init__(self, url: str, *, most: int, prepares: bool) -> None:
        self.prepares = prepares
        self.longest: float | None = STATEMENT_SECONDS
        self._url = url
        self._most = most
        self._places = threading.BoundedSemaphore(most)
        self._idle: list[Connection] = []
        self._generation = 0
        self._all: list[Connection] = []
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._is_silent = False
        self._trying = threading.Lock()

    def take(self) -> Connection:
        """Return a connection that is the caller's until `give_back`.

        Raises psycopg2's OperationalError when none can be had.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._places.acquire(timeout=GLANCE_SECONDS):
            if time.monotonic() > deadline or len(self._running(STUCK_SECONDS)) >= self._most:
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
        if not self._is_silent:
            return self._connected()
        if not self._trying.acquire(timeout=GLANCE_SECONDS):
            raise NoConnectionError("the database does not answer")
        try:
            return self._connected()
        finally:
            self._trying.release()

    def _connected(self) -> Connection:
        generation, began = self._generation, time.monotonic()
        try:
            connection = self._connect()
        except psycopg2.Error:
            self._is_silent = time.monotonic() - began > SILENCE_SECONDS
            raise
        self._is_silent = False
        connection.generation = generation
        with self._lock:
            self._all = [*(each for each in self._all if not each.closed), connection]
            # There is none yet, or it was left behind by a fork.
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(
                    target=_watch, args=(weakref.ref(self),), daemon=True
                )
                self._watcher.start()
        return connection

    def _connect(self) -> Connection:
        connection: Connection = psycopg2.connect(
            self._url, connection_factory=Connection, **CONNECTING
        )
        return connection

    def _running(self, seconds: float) -> list[Connection]:
        """Return the connections whose statement has been under way for so long."""
        then = time.monotonic() - seconds
        return [each for each in self._all if each.began < then]

    def give_up(self) -> None:
        """Give up the statements that take too long, and the connections beside them.

        Nobody knows whether it is the statement, PostgreSQL or the way there.
        """
        if self.longest is None or not (late := self._running(self.longest)):
            return
        self._is_silent = True
        self.replace()
        processes = [each.info.backend_pid for each in late if not each.closed]
        for connection in late:
            connection.give_up()
        logger.warning("%d statements took longer than %g s", len(late), self.longest)
        threading.Thread(target=self._end, args=(processes, self.longest / 2), daemon=True).start()

    def _end(self, processes: Sequence[int], seconds: float) -> None:
        """Have PostgreSQL end what nobody waits for any more, should it still be at it."""
        with contextlib.suppress(psycopg2.Error), contextlib.closing(self._connect()) as connection:
            connection.cursor().execute(_END, ([*processes], seconds))


def _watch(watched: "weakref.ref[Connections]") -> None:
    """Look after connections as long as there are any to be had."""
    while (connections := watched()) is not None:
        connections.give_up()
        del connections
        time.sleep(GLANCE_SECONDS)
