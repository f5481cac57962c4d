"""What the benchmarks compare is comparable: the reference app answers what the site does."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import orjson
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from benchmarks import paced, reference_app, row_per_category
from benchmarks.package_days import package_days
from pypistats import ingest
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource

DAYS = [DAY - dt.timedelta(days=age) for age in range(3)]
SLOW = 0.05


@pytest.fixture
def packages(app: Flask, database_url: str) -> Iterator[list[str]]:
    """Load some generated days into both kinds of tables; give the packages that are on all."""
    days = {day: list(package_days(day, 20)) for day in DAYS}
    names = set.intersection(
        *({row.package for row in rows if row.without_mirrors} for rows in days.values())
    )
    with app.app_context():
        for day, rows in days.items():
            ingest.ingest_day(day, FixedSource(*rows))
        row_per_category.copy_from_store(database_url, sorted(names))
        yield sorted(names)
        for table in ("recent", *reference_app.SERIES):
            db.session.execute(text(f"drop table usual_{table}"))
        db.session.commit()


@pytest.fixture
def reference(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Give the reference app on the same database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    app = reference_app.create_app()
    yield app.test_client()
    with app.app_context():
        reference_app.db.engine.dispose()


@pytest.mark.parametrize("document", ["recent", *reference_app.SERIES])
def test_the_reference_app_answers_what_the_site_does(
    packages: list[str], client: FlaskClient, reference: FlaskClient, document: str
) -> None:
    for package in packages:
        path = f"/api/packages/{package}/{document}"
        assert reference.get(path).json == client.get(path).json


def test_the_reference_page_has_the_data_of_its_charts(
    packages: list[str], client: FlaskClient, reference: FlaskClient
) -> None:
    page = BeautifulSoup(reference.get(f"/packages/{packages[0]}").text, "html.parser")
    figures = [orjson.loads(script.text) for script in page.find_all("script", class_="figure")]

    downloads = [f for f in figures if f["layout"]["title"]["text"].endswith(" downloads")]
    shares = [f for f in figures if f["layout"]["title"]["text"].endswith(" percentages")]
    for dimension, figure in zip(reference_app.SERIES, downloads, strict=True):
        drawn = [
            {"category": line["name"], "date": day, "downloads": value}
            for line in figure["data"]
            for day, value in zip(line["x"], line["y"], strict=True)
        ]
        assert drawn == client.get(f"/api/packages/{packages[0]}/{dimension}").json["data"]
    for figure in shares:
        assert sum(sum(line["y"]) for line in figure["data"]) == pytest.approx(100 * len(DAYS))


class SlowHandler(BaseHTTPRequestHandler):
    """Answers a moment later, and 404 where it is asked for nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(SLOW)
        self.send_response(200 if self.path == "/something" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow_client() -> Iterator[paced.Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    client = paced.Client("127.0.0.1", server.server_port)
    yield client
    for connection in client.idle:
        connection.close()
    server.shutdown()
    server.server_close()


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_a_request_that_waits_for_a_connection_takes_as_long_as_it_waits(
    slow_client: paced.Client,
) -> None:
    paced.ask(slow_client, [request("/something")], [0] * (paced.CONNECTIONS + 1))

    assert len(slow_client.took) == paced.CONNECTIONS + 1
    assert max(slow_client.took) >= 2 * SLOW
    assert slow_client.failed == 0


def test_answers_that_are_errors_are_counted(slow_client: paced.Client) -> None:
    paced.ask(slow_client, [request("/something"), request("/nothing")], [0, 0, 0])

    assert (len(slow_client.took), slow_client.failed) == (3, 1)


@pytest.mark.parametrize("moments_of", [paced.even_moments, paced.chance_moments])
def test_requests_come_at_the_rate(moments_of: Callable[[float, float], list[float]]) -> None:
    moments = moments_of(1_000, 10)

    assert moments == sorted(moments)
    assert len(moments) == pytest.approx(10_000, rel=0.05)
