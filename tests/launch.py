"""`make run` as real processes, and the fixture that leaves none of them behind."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pypistats.embedded import PostgresServer, ValkeyServer
from tests.network import free_port

ROOT = Path(__file__).parent.parent


class Launch:
    """A launcher that runs, with what it prints."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.port = int(environ.setdefault("PORT", str(free_port())))
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "PORT", "REDIS_URL")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pypistats.launcher"],
            cwd=ROOT,
            env=inherited | {"PYPISTATS_DATA_DIR": str(folder), "PYPI_URL": "none"} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = ""

    def until(self, word: str) -> None:
        """Read until a line with `word`."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed += line
            if word in line:
                return
        raise AssertionError(f"no {word!r} in:\n{self.printed}")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            return str(response.read().decode())

    def end(self, number: signal.Signals) -> int:
        """Send a signal, read to the end and return the exit code."""
        self.process.send_signal(number)
        assert self.process.stdout
        self.printed += self.process.stdout.read()
        return self.process.wait()

    def sample_days_loaded(self) -> int:
        """Return how many days of the sample it said that it would load."""
        match = re.search(r"loading sample data: (\d+) days", self.printed)
        assert match
        return int(match[1])

    def days_of_flask(self) -> list[str]:
        """Return the days of one package's series without mirrors."""
        data = json.loads(self.get("/api/packages/flask/overall?mirrors=false"))["data"]
        return [point["date"] for point in data]

    def left_behind(self) -> list[str]:
        """Return the command lines of processes that work in the launcher's folder or port."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            folder = (process.info["environ"] or {}).get("PYPISTATS_DATA_DIR")
            command = " ".join(process.info["cmdline"] or [])
            if folder == str(self.folder) or str(self.folder) in command:
                found.append(command)
        return found


@contextlib.contextmanager
def launches(folder: Path) -> Iterator[list[Launch]]:
    """Give a list whose launches are killed at the end, with all that they started in `folder`."""
    started: list[Launch] = []
    yield started
    for launch in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(launch.process.pid).children(recursive=True):
                child.kill()
        launch.process.kill()
        launch.process.wait()
        assert launch.process.stdout
        launch.process.stdout.close()
    PostgresServer(folder / "postgres").stop()
    ValkeyServer(folder / "valkey").stop()


@pytest.fixture
def launched(open_folder: Path) -> Iterator[list[Launch]]:
    """Give such a list for one test."""
    with launches(open_folder) as started:
        yield started
