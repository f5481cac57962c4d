"""The site with more pages, to be served: pictures drawn anew, kept, and a stuck one."""

import os
from pathlib import Path

from flask import Flask, Response

from pypistats import create_site
from pypistats.answers import kept
from pypistats.render import place, render_image
from tests.figures import Figure, endless_figure, figure


def make_app() -> Flask:
    app = create_site()
    app.add_url_rule("/test/picture", view_func=lambda: _picture(figure()), endpoint="picture")
    app.add_url_rule("/test/stuck", view_func=lambda: _picture(endless_figure()), endpoint="stuck")
    app.add_url_rule("/test/kept/<name>", view_func=_kept)
    return app


def _kept(name: str) -> Response:
    return kept(lambda: _noted_picture(name), name, packages=(), place=place)


def _noted_picture(name: str) -> Response:
    """Draw a picture and write that down in a file."""
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{name}\n")
    return _picture(figure(title=name))


def _picture(drawn: Figure) -> Response:
    png = render_image(drawn, width=400, height=200, scale=1, image_format="png")
    return Response(png, mimetype="image/png")
