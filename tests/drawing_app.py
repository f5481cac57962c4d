"""The site with two more pages, for gunicorn to serve: a picture that is drawn, and a stuck one."""

from flask import Flask, Response

from pypistats import create_app
from pypistats.render import render_image
from tests.figures import Figure, endless_figure, figure


def make_app() -> Flask:
    app = create_app()
    app.add_url_rule("/test/picture", view_func=lambda: _picture(figure()), endpoint="picture")
    app.add_url_rule("/test/stuck", view_func=lambda: _picture(endless_figure()), endpoint="stuck")
    return app


def _picture(drawn: Figure) -> Response:
    png = render_image(drawn, width=400, height=200, scale=1, image_format="png")
    return Response(png, mimetype="image/png")
