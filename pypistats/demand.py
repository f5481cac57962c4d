"""What a visitor's request causes to be fetched. Views know nothing of it: it stands around them.

A row in `wants` makes many askers one fetch. Only here and in `wants` is it decided who queues.
"""

import datetime as dt
import functools
import logging
import time

from celery import Celery
from flask import Flask, Response, current_app, request
from kombu.exceptions import OperationalError as QueueError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pypistats import queries, store, wants
from pypistats.catalog import ALL_PACKAGES, normalize_name
from pypistats.clock import utc_now
from pypistats.wants import Want

logger = logging.getLogger(__name__)

INFO = "info"
"""What PyPI tells of a package."""

INFO_AGE = dt.timedelta(days=1)
"""After so long it is asked again, once a page of the package is opened."""

TASKS = {INFO: "refresh-package-info"}
"""The task that fetches what is wanted; it takes a package's name."""

LOOK_SECONDS = 60
"""How long a process remembers that it has looked at a package."""

LOOKS_KEPT = 10_000

HASTE = {"max_retries": 0, "socket_connect_timeout": 0.5, "socket_timeout": 0.5}
"""How the queue is told: at once or not at all."""

MESSAGE_SECONDS = 600
"""How long a message may wait in the queue; the row in `wants` outlasts it."""


def register_demand(app: Flask) -> None:
    """Have what is asked for fetched, if there is a queue to ask by."""
    app.extensions["demand_looks"] = Looks()
    if app.config["REDIS_URL"] and app.config["PYPI_URL"]:
        app.after_request(_after_page)


def send(want: Want) -> None:
    """Queue the task that fetches `want`. If there is no way to, it is due again later.

    Nobody waits for the task's result, so none is asked for: that would wait for Redis.
    """
    celery: Celery = current_app.extensions["celery"]
    try:
        with celery.connection_for_write(transport_options=HASTE) as connection:
            celery.send_task(
                TASKS[want.what],
                (want.package,),
                connection=connection,
                ignore_result=True,
                retry=False,
                expires=MESSAGE_SECONDS,
            )
    except (QueueError, OSError) as error:
        logger.warning("%s of %s can't be queued: %s", want.what, want.package, error)


def want_info(package: str) -> None:
    """Have PyPI asked about a package, unless it was lately."""
    checked_at = queries.info_checked_at(package)
    if checked_at is not None and utc_now() - checked_at < INFO_AGE:
        return
    want = Want(INFO, package)
    with store.transaction():
        ours = wants.add(want)
    if ours:
        send(want)


def _after_page(response: Response) -> Response:
    """See to it that what PyPI tells of the page's package is fetched, once the page is sent."""
    if request.endpoint == "pages.package" and response.status_code in (200, 304):
        package = normalize_name((request.view_args or {})["name"])
        looks: Looks = current_app.extensions["demand_looks"]
        if package != ALL_PACKAGES and looks.due(package):
            app = current_app._get_current_object()  # type: ignore[attr-defined]
            response.call_on_close(functools.partial(_want_info, app, package))
    return response


def _want_info(app: Flask, package: str) -> None:
    with app.app_context():
        try:
            want_info(package)
        except (DBAPIError, PoolTimeoutError) as error:
            logger.warning("what PyPI tells of %s can't be asked for: %s", package, error)


class Looks:
    """Remembers for a while which packages a process has looked at."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def due(self, package: str) -> bool:
        """Tell whether the package was not looked at lately; from now on it was."""
        now = time.monotonic()
        if self._until.get(package, 0) > now:
            return False
        if len(self._until) >= LOOKS_KEPT:
            self._until.clear()
        self._until[package] = now + LOOK_SECONDS
        return True
