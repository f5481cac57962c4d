"""The site with an address whose answer a cache may give for one second, for gunicorn to serve."""

import os

from flask import Flask, Response

from pypistats import create_app
from pypistats.answers import kept
from pypistats.front import Policy

PASSING = Policy(max_age=0, shared=1, revalidate=1, error=3_600)


def make_app() -> Flask:
    app = create_app()
    app.add_url_rule("/passing", view_func=_passing)
    app.add_url_rule("/failing", view_func=_passing, endpoint="failing")
    return app


def _passing() -> Response:
    return kept(lambda: {"made by": os.environ["PORT"]}, packages=(), policy=PASSING)
