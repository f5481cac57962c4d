"""The statements that an app sends to its database."""

import contextlib
from collections.abc import Iterator

from flask import Flask
from sqlalchemy import event

from pypistats.extensions import db


@contextlib.contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """Give a list that fills with statements, without the one that reads the data revision.

    That one is sent by the process, and by no single answer.
    """
    with app.app_context():
        engine = db.engine
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "from data_revision" not in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
