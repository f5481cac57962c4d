"""QUERY: how reads are sent: each alone and at once, without a transaction around it.

A transaction would take two more trips to the database, and the session another that asks whether
the connection still lives. Here a connection that a restart has cut is replaced when it is found.
Nothing is set in a session, so that a pooler such as PgBouncer may stand between. The driver is
used by itself, since SQLAlchemy takes three times as long around it as a small statement does.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import psycopg2
from sqlalchemy import PoolProxiedConnection, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from pypistats.extensions import READS, db

_BEGIN = "begin isolation level repeatable read read only"
_snapshot: ContextVar[PoolProxiedConnection | None] = ContextVar("snapshot", default=None)
_DIALECT = postgresql.psycopg2.dialect()  # type: ignore[no-untyped-call]


class Rows(list[Any]):
    """The rows of a statement."""

    def one(self) -> Any:
        """Return the only row. Raises for none and for several."""
        row = self.one_or_none()
        if row is None:
            raise NoResultFound
        return row

    def one_or_none(self) -> Any:
        """Return the only row; None for none. Raises for several."""
        if len(self) > 1:
            raise MultipleResultsFound
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
    held = _snapshot.get()
    if held is not None:
        return _send(held, written, values)
    if db.session.registry.has() and db.session().in_transaction():
        return Rows(db.session.connection().exec_driver_sql(written, values))
    connection, rows = _send_on_any(written, values)
    connection.close()
    return rows


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Have all reads inside see the store as it is at the first of them."""
    connection, _ = _send_on_any(_BEGIN, {})
    token = _snapshot.set(connection)
    try:
        yield
    finally:
        _snapshot.reset(token)
        # Where a read found the connection cut, it has told of it, and there is nothing to end.
        if connection.is_valid:
            _send(connection, "rollback", {})
        connection.close()


def _send_on_any(statement: str, values: Mapping[str, Any]) -> tuple[PoolProxiedConnection, Rows]:
    """Send a statement; return its connection, still open, and its rows.

    Where the connection turns out to be cut, all are replaced, and the statement is sent again.
    """
    connection = _connect()
    try:
        return connection, _send(connection, statement, values)
    except DBAPIError as error:
        connection.close()
        if not error.connection_invalidated:
            raise
    db.engines[READS].dispose()
    connection = _connect()
    try:
        return connection, _send(connection, statement, values)
    except DBAPIError:
        connection.close()
        raise


def _connect() -> PoolProxiedConnection:
    try:
        return db.engines[READS].raw_connection()
    except psycopg2.Error as error:
        raise _told(error, None, None, is_cut=False) from error


def _send(connection: PoolProxiedConnection, statement: str, values: Mapping[str, Any]) -> Rows:
    """Send a statement; an error is the one that SQLAlchemy would raise."""
    try:
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(statement, values)
            return Rows(cursor.fetchall() if cursor.description else ())
    except psycopg2.Error as error:
        dialect: Any = db.engines[READS].dialect
        is_cut = dialect.is_disconnect(error, connection.dbapi_connection, None)
        if is_cut:
            connection.invalidate(error)
        raise _told(error, statement, values, is_cut=is_cut) from error


def _told(
    error: psycopg2.Error, statement: str | None, values: Any, *, is_cut: bool
) -> BaseException:
    """Return the driver's error as SQLAlchemy has it, which is what callers know."""
    return DBAPIError.instance(
        statement, values, error, psycopg2.Error, connection_invalidated=is_cut
    )


@functools.cache
def _written(statement: str) -> str:
    """Write a statement as the driver takes it."""
    return str(text(statement).compile(dialect=_DIALECT))
