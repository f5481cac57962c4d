"""How fast a search is answered: `python -m benchmarks.search`.

It fills a PostgreSQL of its own with names, and searches for what `/api/search` is asked for while
someone types: beginnings of names, and names with a slip in them. A search is timed with its
statements and without HTTP, and among all names also as a request to the Procfile's web process,
by one client that asks for one after the other and for none that was kept. Each counts as the
fastest of three, since other work on the machine is no part of it.
"""

import http.client
import statistics
import time
from collections.abc import Callable, Sequence
from random import Random
from urllib.parse import quote, urlsplit

import click
from flask import Flask

from benchmarks.bars import Bars
from benchmarks.database import Database, database
from benchmarks.filled import DAY
from benchmarks.names import fill, migrated_app
from benchmarks.package_days import ALL_OF_PYPI, package_name
from benchmarks.web import on_load_processor, pin, serving
from pypistats.server import SITE
from pypistats.views.search import find

SIZES = (6_000, 60_000, ALL_OF_PYPI)
SUGGESTIONS = 10
ROUNDS = 3
BAR = 5
"""Milliseconds that a search over HTTP may take."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


@click.command()
@click.option("--requests", type=click.IntRange(100), default=3_000, show_default=True)
def main(requests: int) -> None:
    """Measure searches among more and more names, and print a table."""
    pin()
    bars = Bars()
    _print("", "names", "p50 ms", "p99 ms", "max ms")
    with database() as running:
        app = migrated_app(running)
        for size in SIZES:
            names = [package_name(rank, DAY) for rank in range(size)]
            fill(running, names)
            beginnings, slips = _beginnings(names, requests), _slips(names, requests)
            _measure_statements(app, "beginnings", size, beginnings)
            _measure_statements(app, "slips", size, slips)
        _measure_http(running, "beginnings over HTTP", beginnings, bars)
        _measure_http(running, "slips over HTTP", slips, bars)
        running.execute("update packages set last_month = last_month + 1")
        _measure_statements(app, "beginnings after an ingest", size, beginnings)
    bars.print()


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


def _measure_statements(app: Flask, title: str, size: int, asked: Sequence[str]) -> None:
    with app.app_context():
        took = [
            min(_milliseconds(find, text, SUGGESTIONS) for _ in range(ROUNDS)) for text in asked
        ]
    _print_times(title, size, took)


def _measure_http(running: Database, title: str, asked: Sequence[str], bars: Bars) -> None:
    """Ask a web process. Another limit makes it another answer, that was not kept either."""
    with serving(SITE, running) as web, on_load_processor():
        connection = http.client.HTTPConnection(urlsplit(web.url).netloc)

        def ask(text: str, *, limit: int, page: int) -> None:
            connection.request("GET", f"/api/search?q={quote(text)}&limit={limit}&page={page}")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == http.HTTPStatus.OK

        limits = range(SUGGESTIONS, SUGGESTIONS + ROUNDS)
        took = [
            min(_milliseconds(ask, text, limit) for limit in limits)
            for text in dict.fromkeys(asked)
        ]
        connection.close()
    p50, p99 = _print_times(title, ALL_OF_PYPI, took)
    bars.at_most(f"{title}, p50", p50, BAR, "ms")
    bars.at_most(f"{title}, p99", p99, BAR, "ms")


def _milliseconds(do: Callable[..., object], text: str, limit: int) -> float:
    start = time.perf_counter()
    do(text, limit=limit, page=1)
    return 1_000 * (time.perf_counter() - start)


def _print_times(title: str, size: int, took: Sequence[float]) -> tuple[float, float]:
    """Print and return how long most of them took, and almost all."""
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    _print(title, f"{size:,}", *(f"{number:.2f}" for number in (p50, p99, max(took))))
    return p50, p99


def _print(*cells: str) -> None:
    click.echo(f"{cells[0]:36}" + "".join(f"{cell:>12}" for cell in cells[1:]))


if __name__ == "__main__":
    main()
