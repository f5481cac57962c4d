"""What commands and tasks have besides the site: sessions that write, Celery and the commands."""

import orjson
from flask import Flask

from pypistats import cli
from pypistats.connections import CONNECTING, WAIT_SECONDS, Connections
from pypistats.extensions import celery_init_app, db
from pypistats.migrations import register_migrations
from pypistats.reading import most_connections
from pypistats.workers import celery_settings


def register_workshop(app: Flask) -> None:
    """Give the site what writes."""
    app.config["SQLALCHEMY_DATABASE_URI"] = app.config["DATABASE_URL"]
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": most_connections(app.config["WEB_THREADS"]),
        "max_overflow": 0,
        "pool_timeout": WAIT_SECONDS,
        "pool_pre_ping": True,
        "json_deserializer": orjson.loads,
        # A load outlives more than a read, which is as well off with another connection.
        "connect_args": {**CONNECTING, "tcp_user_timeout": 30_000},
    }
    app.config["CELERY"] = celery_settings(app.config)
    reads: Connections = app.extensions["reads"]
    reads.longest = None
    db.init_app(app)
    celery_init_app(app)
    register_migrations(app)
    cli.register_commands(app)
