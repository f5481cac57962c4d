"""Pictures are drawn once, and a picture from before is better than none."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from threading import Event, Semaphore

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from PIL import Image

from pypistats import create_app, ingest
from pypistats.answers import kept
from pypistats.catalog import normalize_name
from pypistats.embedded import ValkeyServer
from pypistats.extensions import db
from pypistats.limits import Cost, spend
from pypistats.render import RenderUnavailableError, place, render_image
from tests.figures import figure
from tests.fixed_source import DAY, FixedSource, package_day
from tests.made import Maker, bump, let_an_hour_pass


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def drawing(app: Flask, maker: Maker) -> Iterator[Flask]:
    """Give a site that has one place for pictures, with /drawn/<package> for one."""
    site = create_app(
        {
            "DATABASE_URL": app.config["DATABASE_URL"],
            "REVISION_SECONDS": "0",
            "RENDER_PLACES": "1",
        }
    )

    @site.get("/drawn/<name>")
    def drawn(name: str) -> Response:
        package = normalize_name(name)
        return kept(maker, package, packages=[package], place=place)

    yield site
    with site.app_context():
        db.engine.dispose()


def test_the_app_draws_with_its_settings(app: Flask) -> None:
    with app.app_context():
        png = render_image(figure(), width=400, height=200, scale=2, image_format="png")
        svg = render_image(figure(), width=400, height=200, scale=2, image_format="svg")
    app.extensions["renderer"].close()

    assert Image.open(BytesIO(png)).size == (800, 400)
    assert svg.startswith(b"<svg ")


def test_who_finds_no_place_is_refused_at_once_if_there_is_no_picture(
    drawing: Flask, maker: Maker
) -> None:
    maker.gate.clear()
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(drawing.test_client().get, "/drawn/flask")
        maker.started.acquire()

        for path in ("/drawn/requests", "/drawn/flask"):
            refused = drawing.test_client().get(path)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        maker.gate.set()

        assert first.result().json == {"made": 1}
    assert drawing.test_client().get("/drawn/requests").json == {"made": 2}


def test_who_finds_no_place_gets_the_picture_from_before(drawing: Flask, maker: Maker) -> None:
    client = drawing.test_client()
    client.get("/drawn/flask")
    client.get("/drawn/requests")
    bump(drawing)
    let_an_hour_pass(drawing)
    maker.gate.clear()
    with ThreadPoolExecutor(1) as thread:
        drawn = thread.submit(drawing.test_client().get, "/drawn/flask")
        for _picture in range(3):
            maker.started.acquire()

        answers = [client.get(path) for path in ("/drawn/requests", "/drawn/flask")]
        maker.gate.set()

        assert [(answer.status_code, answer.json) for answer in answers] == [
            (200, {"made": 2}),
            (200, {"made": 1}),
        ]
        assert drawn.result().json == {"made": 3}
    assert all("max-age=0, s-maxage=10," in answer.headers["Cache-Control"] for answer in answers)


def test_right_after_a_change_pictures_are_drawn_anew_while_the_ones_from_before_are_given(
    drawing: Flask, maker: Maker
) -> None:
    client = drawing.test_client()
    client.get("/drawn/flask")
    client.get("/drawn/requests")
    bump(drawing)
    maker.gate.clear()

    asked = ("/drawn/flask", "/drawn/requests", "/drawn/flask")
    answers = [client.get(path) for path in asked]
    maker.gate.set()

    assert [answer.json for answer in answers] == [{"made": 1}, {"made": 2}, {"made": 1}]
    assert all("max-age=0, s-maxage=10," in answer.headers["Cache-Control"] for answer in answers)
    # Each once, and in the order in which they were asked for.
    eventually(lambda: client.get("/drawn/flask").json == {"made": 3})
    eventually(lambda: client.get("/drawn/requests").json == {"made": 4})
    assert "max-age=300," in client.get("/drawn/flask").headers["Cache-Control"]


def test_one_that_can_not_be_drawn_anew_holds_up_no_other(drawing: Flask, maker: Maker) -> None:
    client = drawing.test_client()
    client.get("/drawn/flask")
    bump(drawing)
    maker.error = RenderUnavailableError("Chrome is gone.", 2)
    failed = client.get("/drawn/flask")
    eventually(lambda: "background" not in {thread.name for thread in threading.enumerate()})
    maker.error = None

    assert failed.json == client.get("/drawn/flask").json == {"made": 1}
    assert client.get("/drawn/requests").json == {"made": 2}


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_picture_that_is_there_needs_no_place(drawing: Flask, maker: Maker) -> None:
    client: FlaskClient = drawing.test_client()
    client.get("/drawn/requests")
    maker.gate.clear()
    with ThreadPoolExecutor(1) as thread:
        drawn = thread.submit(drawing.test_client().get, "/drawn/flask")
        for _picture in range(2):
            maker.started.acquire()

        answer = client.get("/drawn/requests", query_string={"other": "address"})
        maker.gate.set()

        assert (answer.status_code, answer.json) == (200, {"made": 1})
        assert drawn.result().json == {"made": 2}


def test_where_no_chart_can_be_drawn_the_one_from_before_is_given(
    app: Flask, valkey_server: ValkeyServer
) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))
    common = {
        "DATABASE_URL": app.config["DATABASE_URL"],
        "REDIS_URL": valkey_server.url,
        "REVISION_SECONDS": "0",
    }
    able, unable = create_app(common), create_app(common | {"BROWSER_PATH": "/nowhere/chrome"})
    path = "/api/packages/flask/chart/system"
    drawn = able.test_client().get(path)
    able.extensions["renderer"].close()

    same = unable.test_client().get(path)
    bump(able)
    stale = unable.test_client().get(path)
    never_drawn = unable.test_client().get(path, query_string={"theme": "dark"})

    assert [answer.status_code for answer in (drawn, same, stale, never_drawn)] == [
        200, 200, 200, 503,
    ]  # fmt: skip
    assert drawn.data == same.data == stale.data
    assert stale.headers["Cache-Control"].startswith("public, max-age=0, s-maxage=10,")
    assert never_drawn.headers["Retry-After"] == "600"
    assert never_drawn.json == {
        "error": {
            "status": 503,
            "name": "Service Unavailable",
            "message": "This server has no browser to draw with.",
            "parameter": None,
        }
    }
    for site in (able, unable):
        with site.app_context():
            db.engine.dispose()


def test_who_may_draw_no_more_spoils_it_for_nobody_else(app: Flask) -> None:
    url = app.config["DATABASE_URL"]
    site = create_app({"DATABASE_URL": url, "RATE_LIMIT_RENDER": "1/3600"})
    entered, leading, gate = Semaphore(0), Semaphore(0), Event()

    def make() -> dict[str, str]:
        leading.release()
        assert gate.wait(60)
        spend(Cost.RENDER)
        return {"made": "once"}

    @contextmanager
    def counted_place() -> Iterator[None]:
        entered.release()
        yield

    @site.get("/drawn/<name>")
    def drawn(name: str) -> Response:
        return kept(make, name, packages=(), place=counted_place)

    def ask(name: str, address: str) -> int:
        answer = site.test_client().get(f"/drawn/{name}", environ_base={"REMOTE_ADDR": address})
        return answer.status_code

    gate.set()
    assert ask("first", "192.0.2.1") == 200
    gate.clear()
    for semaphore in (entered, leading):
        semaphore.acquire()
    with ThreadPoolExecutor(2) as threads:
        spent = threads.submit(ask, "second", "192.0.2.1")
        leading.acquire()
        fresh = threads.submit(ask, "second", "192.0.2.2")
        for _request in range(2):
            entered.acquire()
        gate.set()

        assert (spent.result(), fresh.result()) == (429, 200)
    with site.app_context():
        db.engine.dispose()
