"""How long the nightly work takes at PyPI's size: `python -m benchmarks.daily`.

A PostgreSQL of its own gets two months of days. Then one more day is loaded, with its sum, the
recent counts and the totals, and the first month is purged, while another process reads as the
site does. Filling takes minutes and some 11 GB of disk.
"""

import contextlib
import dataclasses
import datetime as dt
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator

import click
import orjson
import psycopg2

from benchmarks.database import Database, database
from benchmarks.package_days import ALL_OF_PYPI
from benchmarks.steps import Work, run

MONTHS = [dt.date(2026, month, 1) for month in (1, 2, 3, 4)]
PURGED = MONTHS[0]
FILLED = dt.date(2026, 1, 31)
NEW_DAY = dt.date(2026, 3, 3)


@click.command()
@click.option(
    "--packages", type=click.IntRange(1, ALL_OF_PYPI), default=ALL_OF_PYPI, show_default=True
)
def main(packages: int) -> None:
    """Measure a night, and print what took how long."""
    with database() as running:
        work = Work(running.folder, running.url, NEW_DAY, packages)
        filled = dataclasses.replace(work, day=FILLED)
        click.echo(f"filling {(NEW_DAY - PURGED).days} days of {packages:,} packages")
        run("generate", filled)
        run("generate", work)
        run("migrate", filled)
        run("ingest", filled)
        _fill(running.url)
        running.execute("checkpoint")
        click.echo(f"load average {os.getloadavg()[0]:.2f}")
        with _reader(running, packages):
            _step(running, "ingest", work, "load, sum, recent, totals")
            _step(running, "purge", work, "purge a month")


def _fill(url: str) -> None:
    """Copy the loaded day into all others up to the new one."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for first, after in itertools.pairwise(MONTHS):
            if first != FILLED.replace(day=1):
                cursor.execute(
                    f"create table daily_{first:%Y_%m} partition of daily"
                    f" for values from ('{first}') to ('{after}')"
                )
        for offset in range((NEW_DAY - PURGED).days):
            day = PURGED + dt.timedelta(days=offset)
            if day != FILLED:
                _copy_day(cursor, day)
        cursor.execute("update packages set total = total * %s", ((NEW_DAY - PURGED).days,))
        for table in ("daily", "packages"):
            cursor.execute(f"vacuum analyze {table}")


def _copy_day(cursor: "psycopg2.extensions.cursor", day: dt.date) -> None:
    cursor.execute(
        "insert into daily select package_id, %s, with_mirrors, without_mirrors, python_minor,"
        " system, installer, version from daily where day = %s",
        (day, FILLED),
    )
    cursor.execute(
        "insert into ingested_days (day, state, source, packages, downloads, loaded_at)"
        " select %s, state, source, packages, downloads, loaded_at from ingested_days"
        " where day = %s",
        (day, FILLED),
    )


@contextlib.contextmanager
def _reader(running: Database, packages: int) -> Iterator[None]:
    """Read beside the block, and print how long readers waited in it."""
    words = [running.url, str(FILLED), str(packages)]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.reader", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield
        waited = orjson.loads(process.communicate(b"\n")[0])
    click.echo(
        f"{waited['reads']:,} reads beside it: p50 {waited['p50']:.1f} ms,"
        f" p99 {waited['p99']:.1f} ms, longest {waited['longest']:.1f} ms"
    )


def _step(running: Database, step: str, work: Work, title: str) -> None:
    before = running.cpu_seconds()
    measured = run(step, work)
    server = running.cpu_seconds() - before
    click.echo(
        f"{title:28} {measured.wall:6.1f} s, {measured.cpu:.1f} s of our CPU,"
        f" {server:.1f} s of the server's, {measured.peak / 2**20:.0f} MiB at the peak"
    )
    for name, seconds in measured.parts.items():
        click.echo(f"  {name:26} {seconds:6.1f} s")


if __name__ == "__main__":
    main()
