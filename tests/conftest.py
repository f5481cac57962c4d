"""The fixtures that all tests share: one PostgreSQL, built by the migrations, and the app on it."""

import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from hypothesis import settings

from pypistats import create_app, front
from pypistats.embedded import PostgresServer, ValkeyServer
from pypistats.extensions import db
from tests.front_time import FrontTime
from tests.pgbouncer import pgbouncer
from tests.site import emptied, served

pytest_plugins = [
    "tests.fixtures_bigquery",
    "tests.fixtures_pipeline",
    "tests.fixtures_browser",
    "tests.fixtures_clickhouse",
    "tests.fixtures_web",
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pgbouncer", type=int, help="go through a PgBouncer with such a pool")


@pytest.fixture(scope="session")
def database_url(postgres_server: PostgresServer, pytestconfig: pytest.Config) -> Iterator[str]:
    """Give a database with the tables that the migrations make."""
    pool = pytestconfig.getoption("pgbouncer")
    between = (
        pgbouncer(postgres_server.url, pool=pool) if pool else nullcontext(postgres_server.url)
    )
    with between as url:
        app = create_app({"DATABASE_URL": url})
        with app.app_context():
            flask_migrate.upgrade()
            db.engine.dispose()
        yield url


@pytest.fixture(scope="session")
def session_app(database_url: str) -> Flask:
    return create_app({"DATABASE_URL": database_url, "REVISION_SECONDS": "0"})


@pytest.fixture
def app(session_app: Flask) -> Iterator[Flask]:
    """Give the app, with nothing in its memory, nor in its database but the sum of all packages."""
    with emptied(session_app):
        yield session_app


@pytest.fixture
def app_context(app: Flask) -> Iterator[None]:
    """Open an app context, for direct calls; the test client opens its own."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def front_time(monkeypatch: pytest.MonkeyPatch) -> FrontTime:
    """Give the time that the layer before Flask goes by; it stands still until it is set."""
    time = FrontTime()
    monkeypatch.setattr(front, "time", time)
    return time


@pytest.fixture
def server_url(app: Flask) -> Iterator[str]:
    """Serve the app as the Procfile does, for clients that speak HTTP."""
    with served(app) as url:
        yield url


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()
