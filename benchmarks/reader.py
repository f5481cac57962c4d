"""Reads packages as the site does until told to end, and prints how long each read took.

A process of its own, so that it waits for the database alone.
"""

import datetime as dt
import select
import statistics
import sys
import time
from collections.abc import Iterator
from random import Random

import click
import orjson

from benchmarks.package_days import ALL_OF_PYPI, package_name
from pypistats import create_app, queries
from pypistats.extensions import db
from pypistats.stored_package import stored_package

DAYS = 180
PAUSE = 0.01


def main(url: str, day: str, packages: str) -> None:
    """Read until a line comes in; print milliseconds as JSON."""
    with create_app({"DATABASE_URL": url}).app_context():
        waits = list(_read(_names(dt.date.fromisoformat(day), int(packages))))
    quantiles = statistics.quantiles(waits, n=100)
    figures = {"reads": len(waits), "p50": quantiles[49], "p99": quantiles[98]}
    click.echo(orjson.dumps(figures | {"longest": max(waits)}).decode())


def _names(day: dt.date, packages: int) -> list[str]:
    random = Random(1)
    step = ALL_OF_PYPI / packages
    return [package_name(int(random.randrange(packages) * step), day) for _ in range(10_000)]


def _read(names: list[str]) -> Iterator[float]:
    """Yield the milliseconds that each read of a package took."""
    random = Random(2)
    click.echo("reading")
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        begin = time.perf_counter()
        try:
            stored_package(random.choice(names), days=DAYS)
        except queries.PackageNotFoundError:
            continue
        finally:
            db.session.rollback()
        yield (time.perf_counter() - begin) * 1_000


if __name__ == "__main__":
    main(*sys.argv[1:])
