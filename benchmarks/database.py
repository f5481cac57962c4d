"""A PostgreSQL of one's own, with PostgreSQL's defaults, for the time of a benchmark."""

import contextlib
import dataclasses
import fcntl
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click
import psutil
import psycopg2

from pypistats.embedded import PostgresServer


@dataclasses.dataclass(frozen=True, slots=True)
class Database:
    """A running server, and its folder, which has room for generated days as well."""

    folder: Path
    url: str
    postmaster: int

    def execute(self, *statements: str) -> None:
        """Execute statements, each in a transaction of its own or in none."""
        with contextlib.closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    def cpu_seconds(self) -> float:
        """Return the processor time that the server's processes have had, ended ones included."""
        process = psutil.Process(self.postmaster)
        seconds = sum(process.cpu_times()[:4])
        for child in process.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                seconds += sum(child.cpu_times()[:2])
        return seconds


@contextlib.contextmanager
def database(folder: Path | None = None) -> Iterator[Database]:
    """Run a server for the time; without a `folder` in one that goes away with it.

    Another benchmark waits until the folder is free. SIGTERM stops the server too.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    kept = folder is not None
    folder = folder or Path(tempfile.mkdtemp(prefix="pypistats-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        _wait_for(lock.fileno(), folder)
        server = PostgresServer(folder / "postgres")
        try:
            server.start()
            yield Database(folder, server.url, _postmaster(folder))
        finally:
            server.stop()
            if not kept:
                shutil.rmtree(folder)


def _wait_for(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        click.echo(f"waiting for another benchmark to leave {folder}")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
