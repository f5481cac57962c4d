"""Ports to listen on and servers to wait for."""

import contextlib
import os
import random
import socket
import time
import urllib.request


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on.

    It is none of those that the system gives to connections: one could take it before its server.
    Where tests run in several processes, each has ports of its own.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = range(10_000 + number, 30_000, count)
    while True:
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(own)))
            return int(probe.getsockname()[1])


def has_ipv6() -> bool:
    """Tell whether one can listen on ::1, which containers often lack."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def wait_for(url: str, seconds: float = 30) -> None:
    """Return once `url` answers 200; raise TimeoutError if it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{url} does not answer")
