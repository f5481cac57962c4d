"""Health, readiness, and what is answered while the database is away."""

import socket
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from pypistats import badges, create_app, ingest, queries
from pypistats.badges import Badge, Style
from pypistats.embedded import PostgresServer
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day


@pytest.fixture
def stranded() -> Iterator[FlaskClient]:
    """Give a client of a site whose database's port is closed."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        app = create_app({"DATABASE_URL": f"postgresql://u:p@127.0.0.1:{port}/name"})
        yield app.test_client()


def test_ready_tells_the_last_loaded_day(app: Flask, client: FlaskClient) -> None:
    assert client.get("/ready").json == {
        "status": "ready",
        "database": True,
        "migrations": True,
        "last_day": None,
    }

    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))

    assert client.get("/ready").json["last_day"] == DAY.isoformat()


def test_a_database_at_another_migration_is_not_ready(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        right = queries.schema_revision()
        db.session.execute(text("update alembic_version set version_num = 'older'"))
        db.session.commit()
    try:
        response = client.get("/ready")
    finally:
        with app.app_context():
            db.session.execute(
                text("update alembic_version set version_num = :right"), {"right": right}
            )
            db.session.commit()

    assert response.status_code == 503
    assert (response.json["database"], response.json["migrations"]) == (True, False)


def test_a_database_without_tables_is_not_ready(postgres_server: PostgresServer) -> None:
    address = postgres_server.url.removesuffix("postgres") + "template1"

    response = create_app({"DATABASE_URL": address}).test_client().get("/ready")

    assert response.status_code == 503
    assert response.json == {
        "status": "not ready",
        "database": True,
        "migrations": False,
        "last_day": None,
    }


@pytest.mark.parametrize(
    "path",
    ["/api/packages/flask/recent", "/packages/flask", "/", "/search?q=f", "/badge/flask.svg"],
)
def test_before_its_tables_are_made_answers_say_when_to_come_back(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    address = postgres_server.url.removesuffix("postgres") + "template1"

    response = create_app({"DATABASE_URL": address}).test_client().get(path)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert "The database is being set up." in response.text
    assert "`flask db upgrade` is to be run" in caplog.text
    assert "Traceback" not in caplog.text


def test_without_its_database_the_site_is_alive_and_not_ready(stranded: FlaskClient) -> None:
    health, ready = stranded.get("/health"), stranded.get("/ready")

    assert (health.status_code, health.json) == (200, {"status": "ok", "sample_data": None})
    assert (ready.status_code, ready.json["database"]) == (503, False)
    assert ready.headers["Retry-After"] == "30"


@pytest.mark.parametrize(
    "path", ["/api/packages/flask/recent", "/packages/flask", "/", "/search?q=f"]
)
def test_without_its_database_answers_say_when_to_come_back(
    stranded: FlaskClient, path: str
) -> None:
    response = stranded.get(path)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert "The database is out of reach." in response.text
    assert "127.0.0.1" not in response.text
    assert response.is_json == path.startswith("/api/")


@pytest.mark.parametrize("name", ["-requests-", "foo%20bar"])
def test_without_its_database_a_name_that_can_not_be_is_unknown_all_the_same(
    stranded: FlaskClient, name: str
) -> None:
    page, document = stranded.get(f"/packages/{name}"), stranded.get(f"/api/packages/{name}/recent")

    assert (page.status_code, document.status_code) == (404, 404)
    assert "There is no package named" in page.text


@pytest.fixture
def without_names(app: Flask) -> Iterator[None]:
    """Have all reads fail of what else there is than packages with downloads."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("alter table known_names rename to names"))
    yield
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("alter table names rename to known_names"))


@pytest.mark.usefixtures("without_names")
def test_an_unknown_package_is_told_even_where_nothing_more_is_found_out(
    client: FlaskClient,
) -> None:
    response = client.get("/api/packages/nope1/recent")

    assert (response.status_code, response.json["error"]["message"]) == (
        404,
        "There is no package named 'nope1' here.",
    )


def test_without_its_database_a_badge_is_grey(stranded: FlaskClient) -> None:
    response = stranded.get("/badge/flask.svg?style=plastic")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert response.text == badges.svg(
        Badge(
            "downloads",
            "unavailable",
            style=Style.PLASTIC,
            title="The database is out of reach. Try again soon.",
        )
    )


def test_a_statement_that_fails_is_an_error_without_a_trace(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pypistats.queries.recent", lambda _: db.session.execute(text("select 1/0"))
    )

    response = client.get("/api/packages/flask/recent")

    assert response.status_code == 500
    assert response.json["error"]["name"] == "Internal Server Error"
    assert "division" not in response.text


def test_an_error_of_the_code_is_answered_in_the_apis_shape(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypistats.queries.recent", lambda _: 1 / 0)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)

    response = client.get("/api/packages/flask/recent")

    assert response.status_code == 500
    assert response.json["error"]["status"] == 500


def test_connections_that_a_restart_has_cut_are_replaced(app: Flask, client: FlaskClient) -> None:
    assert client.get("/ready").status_code == 200
    with app.app_context():
        db.session.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where pid <> pg_backend_pid() and application_name = 'pypistats'"
            )
        )

    assert client.get("/api/packages/__all__/recent").status_code == 200
