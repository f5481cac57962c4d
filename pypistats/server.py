"""Serves the site, as the Procfile's `web` does: `python -m pypistats.server [MODULE:FUNCTION]`.

The function makes the app; the site's own is the default. The settings are those of
pypistats.config. HTTP is granian's, in Rust; the app answers in threads of each worker process.
"""

import functools
import gc
import importlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from pypistats.config import ConfigError, load_config

SITE = "pypistats:create_site"

IDLE_SECONDS = 95
"""How long a connection is kept on which nothing is asked: longer than the proxies in front do, so
that they never use a closed one. Heroku's keeps them for 90."""

STOP_SECONDS = 25
"""How long answers that have begun may take to end when the server is stopped. A request that is
half sent takes all of it, and Heroku kills after 30."""

MOST_HEADER_BYTES = 32 * 1024
"""What a request's first line and headers may take. granian lets half as much again pass, and
answers a larger one by 431 without a body. The app has no bound for an address: what names nothing
is 404, however long."""

CONNECTIONS = 900
"""Connections that a process holds at most, idle ones included. Often it may open 1,024 files."""

Application = Callable[..., Any]


def main(app: str = SITE) -> None:
    """Serve until told to stop. A setting that can't be, or an address that is in use, ends it."""
    try:
        config = load_config(os.environ)
        address = _address(config["HOST"], config["PORT"])
    except ConfigError as error:
        sys.exit(f"{error}")
    _require_free(address, config["PORT"])
    # The app is made once, before the workers part: they start at once and share its memory. It
    # opens no connection and starts no thread before its first request.
    multiprocessing.set_start_method("fork")
    make(app)
    # The garbage collector would copy the pages of what the app consists of.
    gc.collect()
    gc.freeze()
    server = Server(
        app,
        address=address,
        port=config["PORT"],
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=config["WEB_CONCURRENCY"],
        blocking_threads=config["WEB_THREADS"],
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(
            header_read_timeout=IDLE_SECONDS * 1000, max_buffer_size=MOST_HEADER_BYTES
        ),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.error,
    )
    os.register_at_fork(after_in_child=_end_when_told)
    server.serve(target_loader=_in_worker)


def _end_when_told() -> None:
    """Have a worker that has only begun to start end by signals, and not do as its parent does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@functools.cache
def make(app: str) -> Application:
    """Return the app that a function makes, named as `MODULE:FUNCTION`."""
    module, _, function = app.partition(":")
    made: Application = getattr(importlib.import_module(module), function)()
    return made


def _in_worker(app: str) -> Application:
    """Return the app in a worker process, which ends when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_with_parent, daemon=True).start()
    _tell_granian_once()
    return make(app)


def _tell_granian_once() -> None:
    """Have granian hear of a worker's first signal alone.

    At the third it would wait with Python's lock held: for ever, while an answer is made. SIG_IGN
    is not the way, since a browser that is started would inherit it.
    """
    signals: Any = importlib.import_module("granian._signals")
    set_handler = signals.set_main_signals

    def set_handler_for_one(handler: Callable[..., None]) -> None:
        told = threading.Lock()

        def handle(*signalled: object) -> None:
            if told.acquire(blocking=False):
                handler(*signalled)

        set_handler(handle)

    signals.set_main_signals = set_handler_for_one


def _address(host: str, port: int) -> str:
    """Return the IP address that HOST stands for: of IPv4, if a name has both kinds."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConfigError(
            "HOST can't be what it is set to: it takes an address, such as 127.0.0.1, ::1 or"
            " localhost, without a port"
        ) from None
    return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])


def _require_free(address: str, port: int) -> None:
    """Exit if something listens there: the workers' sockets would share the address with it.

    As granian's, a socket for all of IPv6 is one for all of IPv4 too.
    """
    is_ipv6 = ":" in address
    try:
        socket.create_server(
            (address, port),
            family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
            dualstack_ipv6=is_ipv6 and socket.has_dualstack_ipv6(),
        ).close()
    except OSError as error:
        sys.exit(f"can't listen: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
