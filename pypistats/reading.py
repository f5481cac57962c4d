"""QUERY: how reads are sent: each alone and at once, without a transaction around it.

A transaction would take two more trips to the database, and the session another that asks whether
the connection still lives. Here a connection that a restart has cut is replaced when it is found.
The driver is used by itself, since SQLAlchemy takes three times as long around it as a small
statement does, and its errors are what callers get. Nothing is set in a session, so that a pooler
such as PgBouncer may stand between; statements are prepared only as long as each finds its session
again. What writes by a single statement may go this way too.
"""

import contextlib
import functools
import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import psycopg2
from flask import Flask, current_app
from psycopg2.errors import (
    DuplicatePreparedStatement,
    FeatureNotSupported,
    InvalidSqlStatementName,
)

from pypistats.connections import Connection, Connections, NoAnswerError

logger = logging.getLogger(__name__)

MOST_AT_THE_DATABASE = 8
"""How many threads of a process ask it at a time; a thread that waits for what is drawn or fetched
holds no connection."""

STREAMED_ROWS = 5_000
"""How many rows of a long answer are in memory."""

_BEGIN = "begin isolation level repeatable read read only"
_snapshot: ContextVar[Connection | None] = ContextVar("snapshot", default=None)
_NAME = re.compile(r"(?<![:\w]):(\w+)")
"""A value's name in a statement; two colons are a cast."""


class NoRowError(LookupError):
    """There is no row where one is needed."""


class SeveralRowsError(LookupError):
    """There are several rows where there may be one."""


def register_reads(app: Flask) -> None:
    """Give the app its connections: one for each of its threads that ask, and two more.

    By those the data revision is read, and what stands before the views looks at packages.
    """
    config = app.config
    app.extensions["reads"] = Connections(
        config["DATABASE_URL"].replace("+psycopg2", "", 1),
        most=most_connections(config["WEB_THREADS"]),
        prepares=config["PREPARED_STATEMENTS"],
    )


def most_connections(threads: int) -> int:
    """Return how many connections a process of so many threads has at most."""
    return min(threads, MOST_AT_THE_DATABASE) + 2


def reads() -> Connections:
    """Return the app's connections."""
    connections: Connections = current_app.extensions["reads"]
    return connections


class Rows(list[Any]):
    """The rows of a statement."""

    def one(self) -> Any:
        """Return the only row. Raises for none and for several."""
        row = self.one_or_none()
        if row is None:
            raise NoRowError
        return row

    def one_or_none(self) -> Any:
        """Return the only row; None for none. Raises for several."""
        if len(self) > 1:
            raise SeveralRowsError
        return self[0] if self else None

    def scalar(self) -> Any:
        """Return the only row's first value; None for no row. Raises for several."""
        row = self.one_or_none()
        return None if row is None else row[0]


def execute(statement: str, **values: Any) -> Rows:
    """Return the rows of a statement, in which `:name` stands for a value.

    Inside a transaction of the session or a `snapshot` it is part of it.
    """
    written = _written(statement)
    held = _held()
    if held is not None:
        return _send(held, written, values)
    connection, rows = _on_any(lambda connection: _send(connection, written, values))
    reads().give_back(connection)
    return rows


def execute_prepared(statement: str, **values: Any) -> Rows:
    """Return the rows of a statement as `execute` does. A connection has it planned once.

    That is for statements that are sent often and that one plan suits, whatever the values: to
    plan one takes as long as to carry it out. Give numbers a type by `cast`. Where a pooler gives
    the next statement another session, the app soon notices, and prepares no more.
    """
    connections = reads()
    if not connections.prepares or _held() is not None:
        return execute(statement, **values)

    def send(connection: Connection) -> Rows:
        return _send_prepared(connection, _prepared(statement), values)

    try:
        try:
            connection, rows = _on_any(send)
        except FeatureNotSupported:
            # A migration may have changed a column's type, and a plan can't change with it.
            connections.replace()
            connection, rows = _on_any(send)
    except (InvalidSqlStatementName, DuplicatePreparedStatement) as error:
        logger.warning("a pooler mixes sessions, so no statement is prepared any more: %s", error)
        connections.prepares = False
        return execute(statement, **values)
    connections.give_back(connection)
    return rows


def stream(statement: str, **values: Any) -> Iterator[Any]:
    """Yield the rows of a statement, which are too many for the memory, as they come."""
    held = _held()
    connection = _begun() if held is None else held
    try:
        _send(connection, f"declare stream no scroll cursor for {_written(statement)}", values)
        while rows := _send(connection, f"fetch {STREAMED_ROWS} from stream", {}):
            yield from rows
        _send(connection, "close stream", {})
    finally:
        if held is None:
            _end(connection)


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Have all reads inside see the store as it is at the first of them."""
    connection = _begun()
    token = _snapshot.set(connection)
    try:
        yield
    finally:
        _snapshot.reset(token)
        _end(connection)


def _held() -> Any:
    """Return the connection that something else has begun on: a snapshot or the session.

    None for none. Where nothing writes, as in a web process, there is no session.
    """
    connection = _snapshot.get()
    if connection is not None:
        return connection
    db = current_app.extensions.get("sqlalchemy")
    if db is None or not db.session.registry.has() or not db.session().in_transaction():
        return None
    return db.session.connection().connection


def _begun() -> Connection:
    connection, _ = _on_any(lambda connection: _send(connection, _BEGIN, {}))
    return connection


def _end(connection: Connection) -> None:
    """End what was begun. Where a read found the connection cut, there is nothing to end."""
    try:
        if not connection.closed:
            _send(connection, "rollback", {})
    finally:
        reads().give_back(connection)


def _on_any(send: Callable[[Connection], Rows]) -> tuple[Connection, Rows]:
    """Send on one of the connections; return it, for the caller to give back, and the rows.

    Where the connection turns out to be cut, all are replaced, and it is sent again; not where it
    took too long, since it could do so again.
    """
    connections = reads()
    connection = connections.take()
    try:
        return connection, send(connection)
    except psycopg2.Error as error:
        is_cut = connection.closed
        connections.give_back(connection)
        if not is_cut or isinstance(error, NoAnswerError):
            raise
    except BaseException:
        # Nobody knows how far it came.
        connection.close()
        connections.give_back(connection)
        raise
    connections.replace()
    connection = connections.take()
    try:
        return connection, send(connection)
    except BaseException:
        connection.close()
        connections.give_back(connection)
        raise


def _send(connection: Any, statement: str, values: Mapping[str, Any]) -> Rows:
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(statement, values)
        return Rows(cursor.fetchall() if cursor.description else ())


def _send_prepared(
    connection: Connection, prepared: "_Prepared", values: Mapping[str, Any]
) -> Rows:
    if prepared.name not in connection.prepared:
        _send(connection, prepared.preparation, {})
        connection.prepared.add(prepared.name)
    return _send(connection, prepared.execution, values)


@functools.cache
def _written(statement: str) -> str:
    """Write a statement as the driver takes it."""
    return _NAME.sub(r"%(\1)s", statement.replace("%", "%%"))


class _Prepared(NamedTuple):
    """What prepares a statement under a name, and what has it carried out."""

    name: str
    preparation: str
    execution: str


@functools.cache
def _prepared(statement: str) -> _Prepared:
    """Write a statement as it is prepared. The name stands for its text, in whatever session."""
    numbers: dict[str, str] = {}

    def number(value: re.Match[str]) -> str:
        return numbers.setdefault(value[1], f"${len(numbers) + 1}")

    written = _NAME.sub(number, statement.replace("%", "%%"))
    name = f"pypistats_{hashlib.blake2b(statement.encode(), digest_size=8).hexdigest()}"
    values = ", ".join(f"%({value})s" for value in numbers)
    return _Prepared(
        name,
        f"prepare {name} as {written}",
        f"execute {name}({values})" if values else f"execute {name}",
    )
