"""The migrations make the tables that the models describe, and can be taken back."""

import os
import subprocess
import sys
from collections.abc import Iterator

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from pypistats import create_app, ingest
from pypistats.embedded import PostgresServer
from pypistats.extensions import db
from pypistats.migrations import newest_migration
from tests.fixed_source import DAY, FixedSource, package_day


@pytest.fixture
def empty_app(postgres_server: PostgresServer, session_app: Flask) -> Iterator[Flask]:
    """Give the app on an empty database of its own."""
    with session_app.app_context(), db.engine.connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text("create database empty"))
        app = create_app({"DATABASE_URL": postgres_server.url.removesuffix("postgres") + "empty"})
        yield app
        with app.app_context():
            db.engine.dispose()
        autocommit.execute(text("drop database empty"))


@pytest.mark.usefixtures("app_context")
def test_the_models_and_the_tables_agree() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask")))

    flask_migrate.check()


def test_every_migration_can_be_taken_back_and_made_again(empty_app: Flask) -> None:
    with empty_app.app_context():
        flask_migrate.upgrade()
        made = sorted(inspect(db.engine).get_table_names())

        flask_migrate.downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]

        flask_migrate.upgrade()
        assert sorted(inspect(db.engine).get_table_names()) == made


def test_a_migration_does_not_wait_long_for_who_uses_a_table(empty_app: Flask) -> None:
    with empty_app.app_context():
        flask_migrate.upgrade()
        with db.engine.connect() as user:
            user.execute(text("select from data_revision"))

            with pytest.raises(OperationalError, match="lock timeout"):
                flask_migrate.downgrade(revision="base")


def test_the_commands_are_flask_migrates_and_the_newest_migration_is_its_head(
    database_url: str,
) -> None:
    command = [sys.executable, "-m", "flask", "--app", "pypistats", "db", "heads"]
    environ = os.environ | {"DATABASE_URL": database_url}

    heads = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)

    assert heads.stdout == f"{newest_migration()} (head)\n"
