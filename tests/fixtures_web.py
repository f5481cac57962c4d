"""A database of the module's own, for the tests that run the web processes."""

import contextlib
from collections.abc import Iterator

import flask_migrate
import psycopg2
import pytest

from pypistats import create_app
from pypistats.embedded import PostgresServer
from pypistats.extensions import db


@pytest.fixture(scope="module")
def web_database(postgres_server: PostgresServer) -> Iterator[str]:
    """Give a database with the tables; the server's log has all statements that come to it."""
    url = postgres_server.url.removesuffix("postgres") + "web"
    with contextlib.closing(psycopg2.connect(postgres_server.url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("create database web")
        cursor.execute("alter database web set log_statement = 'all'")
        app = create_app({"DATABASE_URL": url})
        with app.app_context():
            flask_migrate.upgrade()
            db.engine.dispose()
        yield url
        cursor.execute("drop database web with (force)")
