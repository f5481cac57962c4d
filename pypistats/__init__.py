"""pypistats: how often the packages on PyPI are downloaded."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import orjson
from flask import Flask, Request
from flask.json.provider import JSONProvider
from werkzeug.exceptions import BadHost
from werkzeug.routing import MapAdapter

from pypistats import errors
from pypistats.answers import register_answers
from pypistats.assets import register_assets
from pypistats.config import load_config
from pypistats.demand import register_demand
from pypistats.hosts import named_host, server_host
from pypistats.limits import register_limits
from pypistats.reading import register_reads
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
        host = named_host(request.environ)
        request.host = server_host(request.environ) if host is None else host
        adapter = self.url_map.bind(
            request.host,
            script_name=request.root_path,
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.environ.get("QUERY_STRING", ""),
        )
        if host is None:
            # Were it refused here, the page that says so could have no links.
            adapter.match = _refuse_host  # type: ignore[method-assign]
        return adapter


def _refuse_host(*_args: object, **_options: object) -> NoReturn:
    raise BadHost


class OrjsonProvider(JSONProvider):
    """Write JSON with orjson, several times as fast as the standard library."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """Write `obj` as JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Read JSON text."""
        return orjson.loads(s)


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """Build the site with all that commands and tasks need. Raises ConfigError for a bad setting.

    What only they need is SQLAlchemy, Celery and the commands themselves.
    """
    # A web process takes 30 MiB less without, and half as long to start.
    from pypistats.workshop import register_workshop  # noqa: PLC0415

    app = create_site(environ)
    register_workshop(app)
    return app


def create_site(environ: Mapping[str, str] = os.environ) -> Flask:
    """Build what a web process serves. Raises ConfigError for a bad setting."""
    app = Site(__name__, template_folder=str(ROOT / "templates"), static_folder=None)
    app.config.update(load_config(environ))
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False
    register_reads(app)
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
    return app
