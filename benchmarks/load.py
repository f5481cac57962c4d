"""How fast a day is loaded, and in how much memory: `make bench-load`.

It starts a PostgreSQL of its own with PostgreSQL's defaults, and compares, in the same run, with
the usual way of storing such data. Each step is a process of its own.
"""

import dataclasses
import datetime as dt

import click

from benchmarks.database import Database, database
from benchmarks.package_days import ALL_OF_PYPI
from benchmarks.steps import Measured, Work, run

DAY = dt.date(2026, 3, 2)
NEXT_DAY = dt.date(2026, 3, 3)

_HEADINGS = ("", "wall s", "our CPU s", "server CPU s", "peak MiB", "packages/s", "ratio")


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
    with database() as running:
        day = Work(running.folder, running.url, DAY, packages)
        next_day = dataclasses.replace(day, day=NEXT_DAY)
        click.echo(f"making two days of {packages:,} packages (not measured)")
        run("generate", day)
        run("generate", next_day)
        run("migrate", day)
        _measure(running, day, next_day, every)


def _measure(running: Database, day: Work, next_day: Work, every: int) -> None:
    """Print a line a step, as each ends; a ratio is that of packages a second.

    A load puts the rows into the tables, which is all that the usual way does here. A whole
    ingest also makes the sum over all packages, the ledger's row and the recent downloads.
    """
    _print(*_HEADINGS)
    thinned = dataclasses.replace(day, every=every)
    usual = _step(running, "row-per-category", thinned, title="usual way, empty tables")
    again = _step(running, "row-per-category", thinned, title="usual way, replace the day")
    _step(running, "read", day, title="reading the day's rows alone")
    _step(running, "load", day, title="load, empty store", usual=usual)
    _step(running, "load", day, title="load, replace the day", usual=again)
    _step(running, "load", next_day, title="load, the next day", usual=usual)
    _step(running, "ingest", day, title="whole ingest, replace the day")
    _step(running, "ingest", next_day, title="whole ingest, the other day")


def _step(
    running: Database, step: str, work: Work, *, title: str, usual: Measured | None = None
) -> Measured:
    # What earlier steps have left to write is not the next one's.
    running.execute("checkpoint")
    before = running.cpu_seconds()
    measured = run(step, work)
    _print(
        f"{title} ({measured.packages:,})",
        f"{measured.wall:.1f}",
        f"{measured.cpu:.1f}",
        f"{running.cpu_seconds() - before:.1f}",
        f"{measured.peak / 2**20:.0f}",
        f"{measured.speed:,.0f}",
        "" if usual is None else f"{measured.speed / usual.speed:.1f}",
    )
    return measured


def _print(title: str, *cells: str) -> None:
    click.echo(f"{title:40}" + "".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    main()
