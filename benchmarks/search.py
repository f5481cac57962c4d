"""How fast a search is answered: `make bench-search`.

It fills a PostgreSQL of its own with names, and searches for what `/api/search` is asked for while
someone types: beginnings of names, and names with a slip in them. A search is timed with its
statements and without HTTP, as the fastest of three, since other work on the machine is no part of
it.
"""

import contextlib
import datetime as dt
import io
import statistics
import time
from collections.abc import Sequence
from random import Random

import click
import flask_migrate
import psycopg2
from flask import Flask

from benchmarks.database import Database, database
from benchmarks.package_days import ALL_OF_PYPI, package_name
from pypistats import create_app
from pypistats.views.search import find

DAY = dt.date(2026, 3, 2)
SIZES = (6_000, 60_000, ALL_OF_PYPI)
SUGGESTIONS = 10
ROUNDS = 3
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


@click.command()
@click.option("--requests", type=click.IntRange(100), default=3_000, show_default=True)
def main(requests: int) -> None:
    """Measure searches among more and more names, and print a table."""
    _print("", "names", "p50 ms", "p99 ms", "max ms")
    with database() as running:
        app = create_app({"DATABASE_URL": running.url})
        with app.app_context():
            flask_migrate.upgrade()
        for size in SIZES:
            names = [package_name(rank, DAY) for rank in range(size)]
            _fill(running, names)
            _measure(app, "beginnings", size, _beginnings(names, requests))
            _measure(app, "slips", size, _slips(names, requests))
        running.execute("update packages set last_month = last_month + 1")
        _measure(app, "beginnings after an ingest", size, _beginnings(names, requests))


def _fill(running: Database, names: Sequence[str]) -> None:
    """Put the names into an empty table, the most downloaded first in rank and not in place."""
    lines = [f"{name}\t{int(1.8e9 / (1 + rank / 20) ** 1.6)}\n" for rank, name in enumerate(names)]
    Random(1).shuffle(lines)
    running.execute("truncate packages")
    with contextlib.closing(psycopg2.connect(running.url)) as connection:
        with connection.cursor() as cursor:
            copied = io.StringIO("".join(lines))
            cursor.copy_expert("copy packages (name, last_month) from stdin", copied)
        connection.commit()
    running.execute("vacuum analyze packages")


def _beginnings(names: Sequence[str], count: int) -> list[str]:
    """Return what people have typed of names, one to eight characters."""
    random = Random(2)
    return [name[: random.randint(1, 8)] for name in random.choices(names, k=count)]


def _slips(names: Sequence[str], count: int) -> list[str]:
    """Return names with two characters in each other's place, or one wrong."""
    random = Random(3)
    slips = []
    for name in random.choices(names[: len(names) // 10], k=count):
        place = random.randrange(1, len(name) - 1)
        wrong = random.choice(
            (name[place + 1] + name[place], random.choice(_LETTERS) + name[place + 1])
        )
        slips.append(name[:place] + wrong + name[place + 2 :])
    return slips


def _measure(app: Flask, title: str, size: int, asked: Sequence[str]) -> None:
    with app.app_context():
        took = [min(_search(text) for _ in range(ROUNDS)) for text in asked]
    p99 = statistics.quantiles(took, n=100)[98]
    numbers = (statistics.median(took), p99, max(took))
    _print(title, f"{size:,}", *(f"{number:.2f}" for number in numbers))


def _search(text: str) -> float:
    """Search once; return the milliseconds."""
    start = time.perf_counter()
    find(text, limit=SUGGESTIONS, page=1)
    return 1_000 * (time.perf_counter() - start)


def _print(*cells: str) -> None:
    click.echo(f"{cells[0]:36}" + "".join(f"{cell:>12}" for cell in cells[1:]))


if __name__ == "__main__":
    main()
