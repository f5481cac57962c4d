"""The Flask extensions of what writes, unbound: `create_app` binds them.

A web process only reads, and does without: to import them takes 30 MiB.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import click
import psycopg2
from celery import Celery, Task
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase

from pypistats.migrations import NOT_MIGRATED


class Base(DeclarativeBase):
    """The base of the typed models."""


db = SQLAlchemy(model_class=Base)


@contextlib.contextmanager
def database_faults() -> Iterator[None]:
    """Have a command tell in a line what the database has against it, and not by a traceback."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = cause.diag.message_primary if isinstance(cause, psycopg2.Error) else None
        fact = " ".join((said or str(cause)).split())
        if isinstance(cause, NOT_MIGRATED):
            fact += "; `flask db upgrade` brings the tables up to date"
        raise click.ClickException(f"the database of DATABASE_URL: {fact}") from error


def celery_init_app(app: Flask) -> Celery:
    """Give `app` its Celery, set up by the app's `CELERY`; each task runs in an app context."""

    class FlaskTask(Task[Any, Any]):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app: Celery[Task[Any, Any]] = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app
