"""The fixtures that all tests share: one PostgreSQL, built by the migrations, and the app on it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from hypothesis import settings
from sqlalchemy import text

from pypistats import create_app, store
from pypistats.embedded import PostgresServer, ValkeyServer
from pypistats.extensions import db
from pypistats.kept import Shelf
from tests.network import free_port, wait_for

ROOT = Path(__file__).parent.parent

pytest_plugins = [
    "tests.fixtures_bigquery",
    "tests.fixtures_pipeline",
    "tests.fixtures_browser",
    "tests.fixtures_clickhouse",
    "tests.launch",
]

settings.register_profile("pypistats", deadline=None, derandomize=True)
settings.load_profile("pypistats")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL for the session."""
    with tempfile.TemporaryDirectory(prefix="pypistats-test-") as folder:
        server = PostgresServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run a Valkey for the session."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder for a PostgreSQL: another pytest run would close pytest's own to its user."""
    with tempfile.TemporaryDirectory(prefix="pypistats-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def database_url(postgres_server: PostgresServer) -> str:
    """Give a database with the tables that the migrations make."""
    app = create_app({"DATABASE_URL": postgres_server.url})
    with app.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()
    return postgres_server.url


@pytest.fixture(scope="session")
def session_app(database_url: str) -> Flask:
    return create_app({"DATABASE_URL": database_url, "REVISION_SECONDS": "0"})


@pytest.fixture
def app(session_app: Flask) -> Iterator[Flask]:
    """Give the app, with nothing in its memory, nor in its database but the sum of all packages."""
    session_app.extensions["answers"].keeper.shelf = Shelf(2**24)
    yield session_app
    with session_app.app_context():
        months = db.session.execute(
            text("select inhrelid::regclass from pg_inherits where inhparent = 'daily'::regclass")
        ).scalars()
        for month in months.all():
            db.session.execute(text(f"drop table {month}"))
        db.session.execute(
            text(
                "truncate ingested_days, purged_days, monthly, rankings, package_info, known_names,"
                " chores, wants, billed_queries, tracked_packages"
            )
        )
        db.session.execute(text("delete from packages where name <> '__all__'"))
        db.session.execute(
            text("update packages set last_day = 0, last_week = 0, last_month = 0, total = 0")
        )
        store.bump_revision()
        db.session.commit()


@pytest.fixture
def app_context(app: Flask) -> Iterator[None]:
    """Open an app context, for direct calls; the test client opens its own."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def server_url(app: Flask) -> Iterator[str]:
    """Serve the app with gunicorn, for clients that speak HTTP."""
    port = free_port()
    command = [Path(sys.executable).parent / "gunicorn", "pypistats:create_app()"]
    environ = {
        "DATABASE_URL": app.config["DATABASE_URL"],
        "REVISION_SECONDS": "0",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "PATH": os.environ["PATH"],
    }
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()
