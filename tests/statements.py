"""The statements that an app sends to its database."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from pypistats import reading
from pypistats.extensions import db


@contextlib.contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """Give a list that fills with statements that read something for an answer.

    The data revision is read for the process, and a snapshot's ends read nothing.
    """
    with app.app_context():
        engines = list(db.engines.values())
    statements: list[str] = []
    send = reading._send

    def note_sent(connection: Any, statement: str, values: Any) -> reading.Rows:
        note(None, None, statement)
        return send(connection, statement, values)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "from data_revision" not in statement and not statement.startswith(
            ("begin", "rollback")
        ):
            statements.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "_send", note_sent)
            yield statements
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
