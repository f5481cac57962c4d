"""An app with an endpoint whose making a test controls."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from flask import Flask, Response, request
from sqlalchemy import text

from pypistats import create_app, store
from pypistats.answers import kept
from pypistats.catalog import normalize_name
from pypistats.extensions import db


class Maker:
    """Makes `{"made": n}` by counting, after `gate` is open; raises `error` when that is set.

    `started` counts its calls, and `placed` the requests that were given a place.
    """

    def __init__(self) -> None:
        self.count = 0
        self.error: Exception | None = None
        self.headers: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Semaphore(0)
        self.placed = threading.Semaphore(0)

    def __call__(self) -> tuple[dict[str, Any], dict[str, str]]:
        self.started.release()
        assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        self.count += 1
        return {"made": self.count}, self.headers

    @contextmanager
    def place(self) -> Iterator[None]:
        self.placed.release()
        yield

    def tries(self) -> int:
        """Return how often it was called since it was last asked."""
        tries = 0
        while self.started.acquire(blocking=False):
            tries += 1
        return tries


def app_with(maker: Maker, database_url: str, **settings: str) -> Flask:
    """Build the site with /made/<package>, which is what `maker` makes of it."""
    app = create_app({"DATABASE_URL": database_url, "REVISION_SECONDS": "0"} | settings)

    @app.get("/made/<name>")
    def made(name: str) -> Response:
        package = normalize_name(name)
        bypass = "nocache" in request.args
        part = request.args.get("part")
        place = maker.place if "place" in request.args else nullcontext
        return kept(
            maker,
            package,
            part,
            packages=[package],
            bypass=bypass,
            place=place,
        )

    return app


def bump(app: Flask, *packages: str) -> None:
    """Give the data its next revision: of the packages, or of all without any."""
    with app.app_context(), store.transaction():
        store.bump_revision(packages or None)


def let_an_hour_pass(app: Flask) -> None:
    """Have the last change of all packages be an hour ago."""
    with app.app_context(), store.transaction():
        db.session.execute(
            text("update data_revision set changed_at = changed_at - interval '1 hour'")
        )
