"""A database with the names of packages and their downloads, and no days."""

import contextlib
import io
from collections.abc import Sequence
from random import Random

import flask_migrate
import psycopg2
from flask import Flask

from benchmarks.database import Database
from pypistats import create_app


def migrated_app(database: Database) -> Flask:
    """Make the tables; return an app that reads them."""
    app = create_app({"DATABASE_URL": database.url})
    with app.app_context():
        flask_migrate.upgrade()
    return app


def fill(database: Database, names: Sequence[str]) -> None:
    """Put the names into an empty table, the most downloaded first in rank and not in place."""
    lines = [f"{name}\t{int(1.8e9 / (1 + rank / 20) ** 1.6)}\n" for rank, name in enumerate(names)]
    Random(1).shuffle(lines)
    database.execute("truncate packages restart identity")
    with contextlib.closing(psycopg2.connect(database.url)) as connection:
        with connection.cursor() as cursor:
            cursor.copy_expert(
                "copy packages (name, last_month) from stdin", io.StringIO("".join(lines))
            )
        connection.commit()
    database.execute("vacuum analyze packages")
