"""STORE: the migrations of the tables, by Flask-Migrate.

It is imported by the first command or function that needs it: with Alembic it takes 9 MiB and a
sixth of a web process's start, which has no use for it.
"""

from pathlib import Path
from typing import Any

import click
from flask import Flask
from psycopg2.errors import UndefinedColumn, UndefinedTable

FOLDER = Path(__file__).resolve().parent.parent / "migrations"

NOT_MIGRATED = (UndefinedColumn, UndefinedTable)
"""Errors of statements where the tables are not there yet, or not yet those of this code."""


def register_migrations(app: Flask) -> None:
    """Give the app the commands `flask db …`, and what Flask-Migrate's functions look for."""
    app.extensions["migrate"] = _Migrations(app)
    app.cli.add_command(_Commands("db", help="Perform database migrations."))


def newest_migration() -> str:
    """Return the revision of the newest migration; the files are named after theirs."""
    return max(path.name.partition("_")[0] for path in FOLDER.glob("versions/[0-9]*.py"))


class _Migrations:
    """Stands for Flask-Migrate's own extension until that is asked for anything."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        from flask_migrate import Migrate  # noqa: PLC0415

        from pypistats.extensions import db  # noqa: PLC0415

        Migrate(self._app, db, str(FOLDER))
        return getattr(self._app.extensions["migrate"], name)


class _Commands(click.Command):
    """Stands for the group of Flask-Migrate's commands until it is called."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Go on with the group itself."""
        from flask_migrate.cli import db as group  # noqa: PLC0415

        from pypistats.extensions import database_faults  # noqa: PLC0415

        context: click.Context = group.make_context(info_name, args, parent, **extra)
        context.with_resource(database_faults())
        return context
