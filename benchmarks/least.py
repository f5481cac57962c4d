"""The least that an answer can take which is made anew: one row of PostgreSQL, two trips to Redis.

It stands on Flask, psycopg2 and the site's shared cache, with nothing around them. What it answers
is of no use.
"""

import os
import threading

import psycopg2
from flask import Flask

from pypistats.shared_cache import SharedCache

_SECONDS = 60
"""How long Redis keeps an answer: longer than the load lasts."""


def create_app() -> Flask:
    """Return the app, on the database and the Redis that the environment names."""
    app = Flask(__name__)
    app.add_url_rule("/health", view_func=health)
    app.add_url_rule("/api/packages/<package>/recent", view_func=_Least().answer)
    return app


def health() -> str:
    """Say that the process answers."""
    return "OK"


class _Least:
    """Keeps a connection for each thread, with the statement prepared."""

    def __init__(self) -> None:
        self._shared = SharedCache(os.environ["REDIS_URL"])
        self._kept = threading.local()

    def answer(self, package: str) -> bytes:
        """Ask Redis for what there is, PostgreSQL for a row, and have Redis keep it."""
        kept = self._shared.get(package)
        if kept is not None:
            return kept
        made = b"%d" % self._row(package)
        self._shared.set(package, made, _SECONDS)
        return made

    def _row(self, package: str) -> int:
        cursor = getattr(self._kept, "cursor", None)
        if cursor is None:
            connection = psycopg2.connect(os.environ["DATABASE_URL"])
            connection.autocommit = True
            cursor = self._kept.cursor = connection.cursor()
            cursor.execute("prepare row as select last_month from packages where name = $1")
        cursor.execute("execute row(%s)", (package,))
        ((downloads,),) = cursor.fetchall()
        return int(downloads)
