"""A web process as the Procfile starts it, on the first processor, with a Valkey of its own."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.database import Database
from pypistats.embedded import ValkeyServer
from tests.network import free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent
HELLO, REFERENCE = "benchmarks.hello:make_app", "benchmarks.reference_app:create_app"
LEAST = "benchmarks.least:create_app"

_UNLIMITED = {f"RATE_LIMIT_{what}": "off" for what in ("CACHED", "COMPUTED", "RENDER", "FETCH")}
"""Settings without which one address could not send the load of thousands."""


Server = Callable[[str], list[str]]
"""Returns the command that serves an app, named as `MODULE:FUNCTION`."""


def granian(app: str) -> list[str]:
    """Serve as the Procfile does."""
    return [sys.executable, "-m", "pypistats.server", app]


def gunicorn(app: str) -> list[str]:
    """Serve as gunicorn.conf.py says, with the same settings."""
    return [sys.executable, "-m", "gunicorn", f"{app}()"]


class Web(NamedTuple):
    """A running server, and what it works with; `started` is the seconds until it answered."""

    url: str
    server: psutil.Process
    database: Database
    started: float

    def cpu_seconds(self) -> float:
        """Return the processor time of all that serves: web processes, PostgreSQL and Valkey."""
        seconds = self.database.cpu_seconds()
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                seconds += sum(process.cpu_times()[:2])
        return seconds

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        return self.server.children()

    def memory(self) -> int:
        """Return the bytes that the largest worker has in memory, shared ones included."""
        return max(worker.memory_info().rss for worker in self.workers())


def pin() -> None:
    """Keep this process, and what it starts, on the first processor: the last one sends load."""
    os.sched_setaffinity(0, {0})


@contextlib.contextmanager
def on_load_processor() -> Iterator[None]:
    """Move this process for the time to the processor that sends load, away from what serves."""
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    try:
        yield
    finally:
        pin()


def load_processor() -> tuple[str, ...]:
    """Return the words that start a program on the processor that sends load."""
    return ("taskset", "-c", str((os.cpu_count() or 1) - 1))


@contextlib.contextmanager
def serving(
    app: str,
    database: Database,
    *,
    workers: int = 1,
    server: Server = granian,
    **settings: str,
) -> Iterator[Web]:
    """Run a server for the time, with so many workers, and an empty Valkey."""
    port = free_port()
    with _valkey() as redis_url:
        environ = {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis_url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "WEB_CONCURRENCY": str(workers),
            "MALLOC_ARENA_MAX": "2",
            "MALLOC_MMAP_THRESHOLD_": "131072",
            "PATH": os.environ["PATH"],
            **_UNLIMITED,
            **settings,
        }
        begin = time.perf_counter()
        with subprocess.Popen(
            server(app), cwd=ROOT, env=environ, stderr=subprocess.DEVNULL
        ) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for(f"{url}/health")
                started = time.perf_counter() - begin
                yield Web(url, psutil.Process(process.pid), database, started)
            finally:
                process.terminate()


@contextlib.contextmanager
def _valkey() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pypistats-bench-") as folder:
        server = ValkeyServer(Path(folder))
        server.start()
        try:
            yield server.url
        finally:
            server.stop()
