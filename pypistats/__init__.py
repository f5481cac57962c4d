"""pypistats: how often the packages on PyPI are downloaded."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Request
from flask.json.provider import JSONProvider
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from pypistats import cli, errors
from pypistats.answers import register_answers
from pypistats.assets import register_assets
from pypistats.config import load_config
from pypistats.demand import register_demand
from pypistats.extensions import PREPARES, READS, celery_init_app, db
from pypistats.limits import register_limits
from pypistats.migrations import register_migrations
from pypistats.render import register_renderer
from pypistats.security import register_security
from pypistats.views import (
    api,
    badge,
    compare,
    crawlers,
    health,
    images,
    pages,
    search,
    status,
    top,
)
from pypistats.views.filters import register_filters
from pypistats.workers import celery_settings

MOST_AT_THE_DATABASE = 8
"""How many threads of a process ask it at a time; a thread that waits for what is drawn or fetched
holds no connection."""

ROOT = Path(__file__).resolve().parent.parent


class Site(Flask):
    """Flask without what it does around each request for features that the site has not."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func`: none here is asynchronous."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the rules to a request. None of them is for a host or for websockets."""
        if request is None:
            return super().create_url_adapter(None)
        request.host = get_host(request.environ, request.trusted_hosts)
        return self.url_map.bind(
            request.host,
            script_name=request.root_path,
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.environ.get("QUERY_STRING", ""),
        )


class OrjsonProvider(JSONProvider):
    """Write JSON with orjson, several times as fast as the standard library."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """Write `obj` as JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Read JSON text."""
        return orjson.loads(s)


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """Build the site from the settings in `environ`. Raises ConfigError for a bad one."""
    app = Site(__name__, template_folder=str(ROOT / "templates"), static_folder=None)
    app.config.update(load_config(environ))
    app.config["SQLALCHEMY_DATABASE_URI"] = app.config["DATABASE_URL"]
    options = _engine_options(min(app.config["WEB_THREADS"], MOST_AT_THE_DATABASE))
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options | {"pool_pre_ping": True}
    reads = options | {"url": app.config["DATABASE_URL"], "isolation_level": "AUTOCOMMIT"}
    # Reads end what they begin, so there is nothing to roll back. The sessions that were used last
    # have what they know of the tables at hand.
    reads |= {"pool_reset_on_return": None, "pool_use_lifo": True}
    reads["execution_options"] = {PREPARES: app.config["PREPARED_STATEMENTS"]}
    app.config["SQLALCHEMY_BINDS"] = {READS: reads}
    app.config["CELERY"] = celery_settings(app.config)
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False
    _register(app)
    return app


def _engine_options(threads: int) -> dict[str, Any]:
    """Return a connection for each of so many threads and two more.

    By the others the data revision is read, a day is held that is being loaded, and the budget
    is kept. The keepalives end a wait for a server that has gone without a word.
    """
    return {
        "pool_size": threads + 2,
        "max_overflow": 0,
        "pool_timeout": 5,
        "json_deserializer": orjson.loads,
        "connect_args": {
            "connect_timeout": 3,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "application_name": "pypistats",
        },
    }


def _register(app: Flask) -> None:
    db.init_app(app)
    celery_init_app(app)
    register_migrations(app)
    errors.register_errors(app)
    register_answers(app)
    register_limits(app)
    register_security(app)
    register_demand(app)
    register_assets(app, ROOT / "static")
    register_filters(app)
    register_renderer(app)
    for blueprint in (
        pages.bp,
        search.bp,
        top.bp,
        compare.bp,
        api.bp,
        images.bp,
        badge.bp,
        crawlers.bp,
        health.bp,
        status.bp,
    ):
        app.register_blueprint(blueprint)
    cli.register_commands(app)
