"""The site with an answer that takes a while, to be served."""

import threading

from flask import Flask

from pypistats import create_site

SECONDS = 3


def make_app() -> Flask:
    app = create_site()
    waiting: list[None] = []

    def wait() -> str:
        waiting.append(None)
        threading.Event().wait(SECONDS)
        return "waited"

    app.add_url_rule("/test/wait", view_func=wait)
    app.add_url_rule("/test/waiting", view_func=lambda: str(len(waiting)), endpoint="waiting")
    return app
