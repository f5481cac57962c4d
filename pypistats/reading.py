"""QUERY: how reads are sent: each alone and at once, without a transaction around it.

A transaction would take two more trips to the database, and the session another that asks whether
the connection still lives. Here a connection that a restart has cut is replaced when it is found.
The driver is used by itself, since SQLAlchemy takes three times as long around it as a small
statement does. Nothing is set in a session, so that a pooler such as PgBouncer may stand between;
statements are prepared only as long as each finds its session again.
"""

import contextlib
import functools
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import psycopg2
from psycopg2.errors import DuplicatePreparedStatement, InvalidSqlStatementName
from sqlalchemy import PoolProxiedConnection, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from pypistats.extensions import PREPARES, READS, db

logger = logging.getLogger(__name__)

_BEGIN = "begin isolation level repeatable read read only"
_snapshot: ContextVar[PoolProxiedConnection | None] = ContextVar("snapshot", default=None)
_DIALECT = postgresql.psycopg2.dialect()  # type: ignore[no-untyped-call]
_NUMBERED = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


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
    if _is_in_transaction():
        return Rows(db.session.connection().exec_driver_sql(written, values))
    connection, rows = _on_any(lambda connection: _send(connection, written, values))
    connection.close()
    return rows


def execute_prepared(statement: str, **values: Any) -> Rows:
    """Return the rows of a statement as `execute` does. A connection has it planned once.

    That is for statements that are sent often and that one plan suits, whatever the values: to
    plan one takes as long as to carry it out. Give numbers a type by `cast`. Where a pooler gives
    the next statement another session, the app soon notices, and prepares no more.
    """
    engine = db.engines[READS]
    if not engine.get_execution_options()[PREPARES] or _is_held():
        return execute(statement, **values)
    try:
        connection, rows = _on_any(
            lambda connection: _send_prepared(connection, _prepared(statement), values)
        )
    except DBAPIError as error:
        if not isinstance(error.orig, InvalidSqlStatementName | DuplicatePreparedStatement):
            raise
        logger.warning("a pooler mixes sessions, so no statement is prepared any more: %s", error)
        engine.update_execution_options(**{PREPARES: False})
        return execute(statement, **values)
    connection.close()
    return rows


def _is_held() -> bool:
    """Tell whether reads go by a connection that something else has begun on."""
    return _snapshot.get() is not None or _is_in_transaction()


def _is_in_transaction() -> bool:
    return db.session.registry.has() and db.session().in_transaction()


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Have all reads inside see the store as it is at the first of them."""
    connection, _ = _on_any(lambda connection: _send(connection, _BEGIN, {}))
    token = _snapshot.set(connection)
    try:
        yield
    finally:
        _snapshot.reset(token)
        # Where a read found the connection cut, it has told of it, and there is nothing to end.
        if connection.is_valid:
            _send(connection, "rollback", {})
        connection.close()


def _on_any(
    send: Callable[[PoolProxiedConnection], Rows],
) -> tuple[PoolProxiedConnection, Rows]:
    """Send on a connection of the pool; return it, still open, and the rows.

    Where the connection turns out to be cut, all are replaced, and it is sent again. One that an
    error came from is closed.
    """
    connection = _connect()
    try:
        return connection, send(connection)
    except DBAPIError as error:
        connection.close()
        if not error.connection_invalidated:
            raise
    db.engines[READS].dispose()
    connection = _connect()
    try:
        return connection, send(connection)
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


def _send_prepared(
    connection: PoolProxiedConnection, prepared: "_Prepared", values: Mapping[str, Any]
) -> Rows:
    known = connection.info.setdefault("prepared", set())
    if prepared.name not in known:
        _send(connection, prepared.preparation, {})
        known.add(prepared.name)
    return _send(connection, prepared.execution, values)


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


class _Prepared(NamedTuple):
    """What prepares a statement under a name, and what has it carried out."""

    name: str
    preparation: str
    execution: str


@functools.cache
def _prepared(statement: str) -> _Prepared:
    """Write a statement as it is prepared. The name stands for its text, in whatever session."""
    compiled = text(statement).compile(dialect=_NUMBERED)
    name = f"pypistats_{hashlib.blake2b(statement.encode(), digest_size=8).hexdigest()}"
    values = ", ".join(f"%({value})s" for value in compiled.positiontup or ())
    return _Prepared(
        name,
        f"prepare {name} as {compiled}",
        f"execute {name}({values})" if values else f"execute {name}",
    )
