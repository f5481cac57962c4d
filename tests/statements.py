"""The statements that an app sends to its database, and the connections that it has to it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, current_app
from sqlalchemy import event, text

from pypistats import reading
from pypistats.extensions import db

UNCOUNTED = ("select r.latest", "begin", "rollback", "prepare pypistats_", "execute pypistats_")
"""The beginnings of the data revision's statement, and of what reads nothing or is told already."""


@contextlib.contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """Give a list that fills with statements that read something for an answer.

    The data revision is read for the process, and a snapshot's ends read nothing.
    """
    with app.app_context():
        engines = list(db.engines.values())
    statements: list[str] = []
    send, send_prepared = reading._send, reading._send_prepared

    def note_sent(connection: Any, statement: str, values: Any) -> reading.Rows:
        note(None, None, statement)
        return send(connection, statement, values)

    def note_prepared(connection: Any, prepared: Any, values: Any) -> reading.Rows:
        note(None, None, prepared.preparation.partition(" as ")[2])
        return send_prepared(connection, prepared, values)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(UNCOUNTED):
            statements.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "_send", note_sent)
            patch.setattr(reading, "_send_prepared", note_prepared)
            yield statements
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def all_connections_are_back() -> bool:
    """Tell whether nobody has a connection for reads."""
    most = reading.most_connections(current_app.config["WEB_THREADS"])
    return reading.reads()._places._value == most


def cut_connections() -> None:
    """End all connections of the app, as a restart of the database does."""
    with db.engine.connect() as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where pid <> pg_backend_pid() and application_name = 'pypistats'"
            )
        )
