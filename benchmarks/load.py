"""How fast a day is loaded, and in how much memory: `make bench`, or `python -m benchmarks.load`.

It starts a PostgreSQL of its own with PostgreSQL's defaults, and compares, in the same run, with
the usual way of storing such data. Each step is a process of its own.
"""

import contextlib
import dataclasses
import datetime as dt
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click
import orjson
import psycopg2

from benchmarks.package_days import ALL_OF_PYPI
from benchmarks.steps import Measured, Work
from pypistats.embedded import PostgresServer

DAY = dt.date(2026, 3, 2)
NEXT_DAY = dt.date(2026, 3, 3)

_HEADINGS = ("", "wall s", "our CPU s", "server CPU s", "peak MiB", "packages/s", "ratio")
_CLOCK_TICKS = 100
"""A second in /proc's stat files, on every Linux that there is."""


@click.command()
@click.option(
    "--packages",
    type=click.IntRange(1, ALL_OF_PYPI),
    default=ALL_OF_PYPI,
    show_default=True,
    help="Packages of a day.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Load one package in so many the usual way, which is slow.",
)
def main(packages: int, every: int) -> None:
    """Measure the load of a day of packages, and print a table."""
    signal.signal(signal.SIGTERM, _interrupt)
    with server() as bench:
        click.echo(f"making two days of {packages:,} packages (not measured)")
        for day in (DAY, NEXT_DAY):
            bench.run("generate", bench.work(day, packages))
        bench.run("migrate", bench.work(DAY, packages))
        _measure(bench, packages, every)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def server() -> Iterator["Bench"]:
    """Run a server for the time, in a folder that goes away with it, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="pypistats-bench-"))
    server = PostgresServer(folder / "postgres")
    try:
        server.start()
        yield Bench(folder, server.url, postmaster=_postmaster(folder))
    finally:
        server.stop()
        shutil.rmtree(folder)


def _postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """A running server, and a folder for the generated days."""

    folder: Path
    url: str
    postmaster: int

    def work(self, day: dt.date, packages: int, every: int = 1) -> Work:
        """Return what a step needs to know."""
        return Work(self.folder, self.url, day, packages, every)

    def run(self, step: str, work: Work) -> Measured:
        """Do a step in a process of its own; interrupting this one ends that one."""
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.steps", step, *map(str, dataclasses.astuple(work))],
            stdout=subprocess.PIPE,
            check=True,
        )
        return Measured(**orjson.loads(done.stdout))

    def checkpoint(self) -> None:
        """Write out what earlier steps have left to write, so that it is not the next one's."""
        with contextlib.closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("checkpoint")

    def server_cpu(self) -> float | None:
        """Return the seconds that the server's processes have had; None without a /proc."""
        if not Path("/proc/self/stat").exists():
            return None
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # The name of the program, which may hold spaces, ends with the last bracket.
                number, _, rest = path.read_text().rpartition(")")
                fields = rest.split()
                if int(number.split()[0]) == self.postmaster:
                    # With those of its children that have ended.
                    ticks += sum(map(int, fields[11:15]))
                elif int(fields[1]) == self.postmaster:
                    ticks += sum(map(int, fields[11:13]))
        return ticks / _CLOCK_TICKS


def _measure(bench: Bench, packages: int, every: int) -> None:
    """Print a line a step, as each ends; a ratio is that of packages a second.

    A load puts the rows into the tables, which is all that the usual way does here. A whole
    ingest also makes the sum over all packages, the ledger's row and the recent downloads.
    """
    _print(*_HEADINGS)
    day = bench.work(DAY, packages)
    thinned = bench.work(DAY, packages, every)
    usual = _step(bench, "row-per-category", thinned, title="usual way, empty tables")
    again = _step(bench, "row-per-category", thinned, title="usual way, replace the day")
    _step(bench, "read", day, title="reading the day's rows alone")
    next_day = bench.work(NEXT_DAY, packages)
    _step(bench, "load", day, title="load, empty store", usual=usual)
    _step(bench, "load", day, title="load, replace the day", usual=again)
    _step(bench, "load", next_day, title="load, the next day", usual=usual)
    _step(bench, "ingest", day, title="whole ingest, replace the day")
    _step(bench, "ingest", next_day, title="whole ingest, the other day")


def _step(
    bench: Bench, step: str, work: Work, *, title: str, usual: Measured | None = None
) -> Measured:
    bench.checkpoint()
    before = bench.server_cpu()
    measured = bench.run(step, work)
    after = bench.server_cpu()
    _print(
        f"{title} ({measured.packages:,})",
        f"{measured.wall:.1f}",
        f"{measured.cpu:.1f}",
        "" if before is None or after is None else f"{after - before:.1f}",
        f"{measured.peak / 2**20:.0f}",
        f"{measured.speed:,.0f}",
        "" if usual is None else f"{measured.speed / usual.speed:.1f}",
    )
    return measured


def _print(title: str, *cells: str) -> None:
    click.echo(f"{title:40}" + "".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    main()
