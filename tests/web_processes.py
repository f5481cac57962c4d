"""The Procfile's `web` as real processes, and clients that see the bytes as they are sent."""

import contextlib
import http.client
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import psutil
from honcho.environ import parse_procfile

from pypistats.server import SITE
from tests.network import free_port, wait_for

ROOT = Path(__file__).parent.parent
PATIENCE = 20
"""Seconds after which a client takes the server for hung."""


class Reply(NamedTuple):
    """An answer as it came; the names of its headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


Replies = list[Future[Reply]]


class Client:
    """One connection that is kept, and so stays with one process."""

    def __init__(self, port: int, *, address: str = "127.0.0.1") -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=PATIENCE, source_address=(address, 0)
        )
        self._connection.connect()
        self.port: int = self._connection.sock.getsockname()[1]
        """The client's own end of the connection."""

    def ask(
        self,
        path: str,
        method: str = "GET",
        as_named: Mapping[str, str] = MappingProxyType({}),
        **headers: str,
    ) -> Reply:
        """Ask for a path; an underscore in a name of `headers` stands for a dash."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, headers=named | dict(as_named))
        answer = self._connection.getresponse()
        received = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, received, answer.read())

    def close(self) -> None:
        self._connection.close()


def get(port: int, path: str, **headers: str) -> Reply:
    """Ask for a path on a connection of its own."""
    with contextlib.closing(Client(port)) as client:
        return client.ask(path, **headers)


class Web:
    """The Procfile's `web` with its worker processes, from the start to `end`."""

    def __init__(self, app: str = SITE, **environ: str) -> None:
        self.port = free_port()
        programs = Path(sys.executable).parent
        command = shlex.split(parse_procfile((ROOT / "Procfile").read_text()).processes["web"])
        self._process = subprocess.Popen(
            [*command, app],
            cwd=ROOT,
            env={
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "HOST": "127.0.0.1",
                "PORT": str(self.port),
                "PYPI_URL": "none",
                **environ,
            },
            stderr=subprocess.DEVNULL,
        )
        wait_for(f"http://127.0.0.1:{self.port}/health")

    @property
    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children()

    def worker_of(self, client: Client) -> int | None:
        """Return which process has a client's connection; None while none has taken it."""
        for worker in self.workers:
            for connection in worker.net_connections("tcp"):
                if connection.raddr and connection.raddr.port == client.port:
                    return worker.pid
        return None

    def kill(self) -> None:
        """End all processes at once."""
        for process in [psutil.Process(self._process.pid), *self.workers]:
            process.kill()
        self._process.wait()

    def kill_first(self) -> None:
        """End the process that has started the others."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask the first process to end."""
        self._process.terminate()

    def interrupt(self) -> None:
        """Send all processes what Ctrl-C in a terminal does."""
        for process in [psutil.Process(self._process.pid), *self.workers]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """Wait for the end of the first process; return its exit code."""
        return self._process.wait(PATIENCE)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)


def at_once(pool: ThreadPoolExecutor, clients: int, ask: Callable[[], Reply]) -> Replies:
    """Have so many clients of a pool ask at once, each by itself."""
    ready = threading.Barrier(clients)

    def wait_and_ask() -> Reply:
        ready.wait(PATIENCE)
        return ask()

    return [pool.submit(wait_and_ask) for _ in range(clients)]
