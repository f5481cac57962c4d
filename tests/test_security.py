"""The headers that keep browsers safe, on every kind of answer."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day

PAGES = ["/", "/packages/flask", "/packages/unknown", "/search?q=%25", "/nothing"]
DATA = [
    "/api/packages/flask/recent",
    "/api/packages/unknown/recent",
    "/api/packages/flask/recent?period=never",
    "/static/site.css",
    "/health",
]


@pytest.fixture(autouse=True)
def one_package(app: Flask) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))


def policy(client: FlaskClient, path: str) -> dict[str, list[str]]:
    """Return the policy's directives with their sources."""
    header = client.get(path).headers["Content-Security-Policy"]
    directives = (directive.split() for directive in header.split(";"))
    return {name: sources for name, *sources in directives}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_from_its_own_site_and_nothing_inline(client: FlaskClient, path: str) -> None:
    directives = policy(client, path)

    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
    assert directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"} & {
        source for sources in directives.values() for source in sources
    }


@pytest.mark.parametrize("path", DATA)
def test_what_is_no_page_loads_nothing(client: FlaskClient, path: str) -> None:
    assert policy(client, path) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


@pytest.mark.parametrize("path", PAGES + DATA)
def test_every_answer_has_the_other_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/api/packages/flask/recent", "cross-origin"),
        ("/api/packages/unknown/recent", "cross-origin"),
        ("/badge/flask.svg", "cross-origin"),
        ("/openapi.yaml", "cross-origin"),
        ("/packages/flask", "same-origin"),
        ("/static/site.css", "same-origin"),
    ],
)
def test_only_data_and_pictures_can_be_embedded_and_read_elsewhere(
    client: FlaskClient, path: str, who: str
) -> None:
    headers = client.get(path).headers

    assert headers["Cross-Origin-Resource-Policy"] == who
    assert headers.get("Access-Control-Allow-Origin") == ("*" if who == "cross-origin" else None)


def test_an_error_of_the_site_itself_has_the_headers_too(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypistats.views.pages.package_with_facts", lambda _: 1 / 0)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)

    response = client.get("/packages/flask")

    assert response.status_code == 500
    assert "'self'" in response.headers["Content-Security-Policy"]
