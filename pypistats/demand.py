"""What a visitor's request causes to be fetched. Views know nothing of it: it stands around them.

A row in `wants` makes many askers one fetch, and outlives the queue, which is only told of it.
Where packages are tracked, one that the store lacks is waited for, by no more requests of a process
than leave it half its threads, and with no connection held.
"""

import datetime as dt
import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg2
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import TooManyRequests

from pypistats import messages, provision, wants
from pypistats.catalog import ALL_PACKAGES, InvalidNameError, is_normal_name, normalize_name
from pypistats.clock import utc_now
from pypistats.errors import NotReadyError
from pypistats.limits import Cost, spend
from pypistats.messages import Message, QueueError
from pypistats.provision import Supply
from pypistats.queries import PackageNotFoundError
from pypistats.wants import Want

logger = logging.getLogger(__name__)

INFO = "info"
"""What PyPI tells of a package."""

PACKAGE = "package"
"""What is wanted of a package: its downloads."""

TASKS = {INFO: "refresh-package-info", PACKAGE: "fetch-package"}
"""The task that fetches what is wanted; it takes a package's name."""

NAMES_TASK = "refresh-names"

PAGES = "/packages/"
"""How the addresses of pages begin whose packages PyPI is asked about."""

PACKAGE_RULES = ("/packages/<name>", "/api/packages/<name>", "/badge/<name>")
"""How the addresses begin whose answers need a package's downloads."""

INFO_AGE = dt.timedelta(days=1)
"""After so long PyPI is asked again, once a page of the package is opened."""

LOOK_SECONDS = 60
"""How long a process remembers that it has looked at a package."""

LOOKS_KEPT = 10_000

GATHER_SECONDS = 1.0
"""For so long the packages whose pages are opened are gathered, to be looked at together."""

MOST_GATHERED = 20
"""How many that are: a crawler that opens pages faster does not have PyPI asked as fast."""

_SENT = ("200", "304")
"""How the status begins of a page that is sent, or that its visitor has already."""

POLL_SECONDS = 0.2
"""How often a request that waits looks whether the package is there."""

SOON, LATER = 2, 5
"""Seconds after which to ask again: when only the waiting was too much, and while it is fetched."""


def register_demand(app: Flask) -> None:
    """Have what is asked for fetched, if there is a queue to ask by."""
    config = app.config
    app.extensions["demand"] = Demand(max(1, config["WEB_THREADS"] // 2))
    if config["REDIS_URL"] and config["PYPI_URL"]:
        app.extensions["page_watch"] = app.wsgi_app = PageWatch(app)  # type: ignore[method-assign]
    if config["INGEST_SCOPE"] == "tracked" and config["SOURCE"] != "none":
        app.before_request(_before_package)
        app.after_request(_mark_stale)


class Demand:
    """A process's memory of what it has looked at, and the places where its requests may wait."""

    def __init__(self, places: int) -> None:
        self.places = threading.BoundedSemaphore(places)
        self._until: dict[str, float] = {}

    def due(self, what: str, seconds: float = LOOK_SECONDS) -> bool:
        """Tell whether something was not looked at for so long; from now on it was."""
        now = time.monotonic()
        if self._until.get(what, 0) > now:
            return False
        if len(self._until) >= LOOKS_KEPT:
            self._until.clear()
        self._until[what] = now + seconds
        return True


def send(wanted: Sequence[Want]) -> None:
    """Queue the tasks that fetch what is wanted. If there is no way to, it is due again later."""
    _send([Message(TASKS[want.what], [want.package]) for want in wanted])


def _send(sent: Sequence[Message]) -> None:
    try:
        messages.send(sent, current_app.config["REDIS_URL"])
    except QueueError as error:
        told = ", ".join(" ".join([message.task, *message.arguments]) for message in sent)
        logger.warning("%s can't be queued: %s", told, error)


# --- what PyPI tells --------------------------------------------------------------------------


def want_info(packages: Sequence[str]) -> None:
    """Have PyPI asked about those of the packages that the store has, unless it was lately."""
    due = provision.info_due(packages, older_than=INFO_AGE)
    if not due:
        return
    ours = wants.add([Want(INFO, package) for package in due])
    if ours:
        send(ours)


class PageWatch:
    """Sees to it, soon after a page of a package is sent, that what PyPI tells of it is fetched.

    It stands before all else, since most pages are sent by what is kept of them. Packages are
    looked at several at a time: to ask and to queue for one alone takes longer than its page.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._site = app.wsgi_app
        self._opened: set[str] = set()
        self._lock = threading.Lock()
        self._looking = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass a request on. Only a page that is there counts: others come a moment later."""
        name = environ["PATH_INFO"].removeprefix(PAGES)
        if name == environ["PATH_INFO"] or not is_normal_name(name):
            return self._site(environ, start_response)

        def start(status: str, *rest: Any) -> Any:
            if status.startswith(_SENT):
                self._note(name)
            return start_response(status, *rest)

        return self._site(environ, start)

    def _note(self, package: str) -> None:
        demand: Demand = self._app.extensions["demand"]
        with self._lock:
            if len(self._opened) >= MOST_GATHERED or not demand.due(package):
                return
            self._opened.add(package)
            is_first = len(self._opened) == 1
        if is_first:
            timer = threading.Timer(GATHER_SECONDS, self.look)
            timer.daemon = True
            timer.start()

    def look(self) -> None:
        """Look at the packages whose pages were opened since the last look."""
        with self._looking:
            with self._lock:
                opened, self._opened = self._opened, set()
            if not opened:
                return
            try:
                with self._app.app_context():
                    want_info(sorted(opened))
            except psycopg2.Error as error:
                told = ", ".join(sorted(opened))
                logger.warning("what PyPI tells of %s can't be asked for: %s", told, error)


# --- downloads --------------------------------------------------------------------------------


def _before_package() -> None:
    """Have the package that a request is about, whatever its answer will be, or say why not."""
    rule = request.url_rule.rule if request.url_rule else ""
    if request.method == "OPTIONS" or not rule.startswith(PACKAGE_RULES):
        return
    try:
        package = normalize_name((request.view_args or {})["name"])
    except InvalidNameError:
        # The view says so, or it is several names, none of which is waited for.
        return
    if package != ALL_PACKAGES:
        _provide(package)


def _provide(package: str) -> None:
    """Return once the store has the package, and have it fetched if it is not up to date."""
    supply = provision.supply(package)
    if supply.is_fresh:
        return
    if supply.is_stored:
        g.is_stale = True
        if supply.due_at is None and supply.budget_gone_until is None:
            _want_more(package)
        return
    _check(package, supply)
    if supply.due_at is None:
        _want(package)
    _wait(package)


def _mark_stale(response: Response) -> Response:
    """Have nobody keep an answer that is being made anew."""
    if not g.get("is_stale"):
        return response
    copy = Response(response.get_data(), response.status, response.headers)
    copy.headers["Cache-Control"] = "no-store"
    return copy


def _check(package: str, supply: Supply) -> None:
    """Refuse what can't be fetched: a name that PyPI has not, and anything just now."""
    if supply.is_known is None and current_app.config["PYPI_URL"]:
        demand: Demand = current_app.extensions["demand"]
        if demand.due(NAMES_TASK, LATER):
            _send([Message(NAMES_TASK)])
        raise NotReadyError("PyPI's list of names is being loaded.", retry_after=LATER)
    if not supply.is_known:
        raise PackageNotFoundError(package)
    if supply.error is not None:
        raise NotReadyError(
            f"The downloads of {package} could not be fetched. It is tried again.",
            retry_after=_seconds_until(supply.due_at),
        )
    if supply.budget_gone_until is not None:
        raise NotReadyError(
            "No more downloads are fetched today, since that costs money.",
            retry_after=_seconds_until(supply.budget_gone_until),
        )


def _seconds_until(moment: dt.datetime | None) -> int:
    seconds = (moment - utc_now()).total_seconds() if moment else 0
    return max(SOON, math.ceil(seconds))


def _want(package: str) -> None:
    """Have a package fetched; whoever is the first to want it spends from its own quota."""
    want = Want(PACKAGE, package)
    if not wants.add([want]):
        return
    if provision.supply(package).is_fresh:
        # It came after this request had looked.
        wants.finish(want)
        return
    try:
        spend(Cost.FETCH)
    except TooManyRequests:
        wants.finish(want)
        raise
    send([want])


def _want_more(package: str) -> None:
    """Have a package that is there brought up to date, unless its visitor has had enough."""
    try:
        _want(package)
    except TooManyRequests:
        logger.info("%s is not up to date, and its visitor may not have it fetched", package)


def _wait(package: str) -> None:
    """Return once the package is there. Raises NotReadyError after a while."""
    demand: Demand = current_app.extensions["demand"]
    if not demand.places.acquire(blocking=False):
        raise NotReadyError(f"The downloads of {package} are being fetched.", retry_after=SOON)
    try:
        end = time.monotonic() + current_app.config["ON_DEMAND_WAIT"]
        while time.monotonic() < end:
            time.sleep(POLL_SECONDS)
            supply = provision.supply(package)
            if supply.is_stored:
                return
            _check(package, supply)
    finally:
        demand.places.release()
    raise NotReadyError(f"The downloads of {package} are being fetched.", retry_after=LATER)
