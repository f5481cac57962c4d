"""The site with an address whose answer a cache may give for one second, to be served."""

import os
from collections.abc import Iterable
from pathlib import Path

from flask import Flask, Response

from pypistats import create_site
from pypistats.answers import kept
from pypistats.front import Application, Environ, HeaderList, Policy, StartResponse

PASSING = Policy(max_age=0, shared=1, revalidate=1, error=3_600)


def make_app() -> Flask:
    app = create_site()
    app.add_url_rule("/passing", view_func=_passing)
    app.add_url_rule("/failing", view_func=_passing, endpoint="failing")
    app.wsgi_app = _noting(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _noting(app: Application) -> Application:
    """Write the status and the path of each answer into the file that ASKED names."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: HeaderList) -> object:
            with Path(os.environ["ASKED"]).open("a") as asked:
                asked.write(f"{status.split(maxsplit=1)[0]} {environ['PATH_INFO']}\n")
            return start_response(status, headers)

        return app(environ, start)

    return answer


def _passing() -> Response:
    return kept(lambda: {"made by": os.environ["PORT"]}, packages=(), policy=PASSING)
