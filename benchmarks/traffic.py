"""Traffic as a public site has it, over the ingest of a day: `make bench-traffic`.

The Procfile's web process, a Valkey and a PostgreSQL serve clients that keep their connections and
think between two requests. They ask for packages by Zipf's law, for some that nobody has, and for
the charts in the READMEs of some packages. In the middle one more day of all packages is loaded and
the lists are made, as by the worker. Every answer is held against the truth (`traffic_truth.py`).
Then the rate is raised step by step.
"""

import contextlib
import datetime as dt
import pickle
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

import click
import psycopg2
from sqlalchemy import text

from benchmarks.bars import Bars
from benchmarks.database import Database
from benchmarks.filled import DAY, filled, names
from benchmarks.package_days import ALL_OF_PYPI, day_file, generate
from benchmarks.traffic_client import Notes, Plan, Request
from benchmarks.traffic_report import Span, report, report_rates
from benchmarks.traffic_truth import SERIES, Judge
from benchmarks.traffic_usage import Usage
from benchmarks.web import Web, serving
from pypistats import create_app, store
from pypistats.catalog import ALL_PACKAGES
from pypistats.extensions import db
from pypistats.server import SITE

NEW_DAY = DAY + dt.timedelta(days=1)
SCRIPTS, BROWSERS = "gzip, deflate", "gzip, br"
KINDS = {
    "recent": (40, "/api/packages/{}/recent", SCRIPTS),
    "badge": (30, "/badge/{}.svg", BROWSERS),
    **{kind: (15 / len(SERIES), f"/api/packages/{{}}/{kind}", SCRIPTS) for kind in SERIES},
    "page": (9.5, "/packages/{}", BROWSERS),
    "start": (0.5, "/", BROWSERS),
    "picture": (5, "/api/packages/{}/chart/overall", BROWSERS),
}
"""Each kind's part of the requests, in percent, its address and what its clients decompress."""

UNKNOWN = 0.03
ELSEWHERE = 0.02
"""The part of the pictures that are of any package, and not of one whose README shows them."""

AROUND_SECONDS = 10
"""How long after the ingest its effects are told apart from the rest."""

RATE_SECONDS = 15
REDRAWN = 20
SETTINGS = {
    # Each client has an address of its own, as behind a platform's router, and the usual limits.
    "TRUSTED_PROXIES": "1",
    **{f"RATE_LIMIT_{what}": "" for what in ("CACHED", "COMPUTED", "RENDER", "FETCH")},
    # What is to be asked of PyPI is queued, and PyPI is not asked.
    "PYPI_URL": "http://127.0.0.1:9",
}
WORKERS = 2
CLIENTS = "from benchmarks.traffic_client import main; main()"
"""Not as a program, whose classes would have another name than the one that they are read by."""


class Load(NamedTuple):
    """How much is asked for, of what, and for how long."""

    clients: int
    rate: float
    seconds: int
    warm: int
    exponent: float
    charted: int
    rates: Sequence[int]

    @property
    def requests(self) -> int:
        """How many requests there can be at most."""
        seconds = self.warm + 2 * self.seconds + 200
        return int(1.1 * (self.rate * seconds + RATE_SECONDS * sum(self.rates)))


@click.command()
@click.option("--packages", type=click.IntRange(1, ALL_OF_PYPI), default=6_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 180), default=60, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="A database to keep.")
@click.option("--seconds", type=click.IntRange(10), default=300, show_default=True)
@click.option("--warm", type=click.IntRange(1), default=60, show_default=True, help="Before that.")
@click.option("--clients", type=click.IntRange(1), default=200, show_default=True)
@click.option("--rate", type=click.IntRange(1), default=400, show_default=True)
@click.option("--exponent", default=1.1, show_default=True, help="Of Zipf's law.")
@click.option(
    "--charted", default=300, show_default=True, help="READMEs with a chart; 0: any package."
)
@click.option("--rates", default="600,800,1000,1200", show_default=True, help="Tried at the end.")
def main(packages: int, days: int, folder: Path | None, rates: str, **load: int) -> None:
    """Measure mixed traffic over an ingest, and print tables."""
    asked = Load(rates=[int(rate) for rate in rates.split(",") if rate], **load)
    with filled(packages, days, folder) as database, _room_for_new_day(database):
        if not day_file(database.folder, NEW_DAY).exists():
            click.echo(f"making one more day of {packages:,} packages (not measured)")
            generate(database.folder, NEW_DAY, packages)
        _measure(database, packages, asked)


@contextlib.contextmanager
def _room_for_new_day(database: Database) -> Iterator[None]:
    """Take the new day out again, so that the database is for others what it was."""
    _forget_new_day(database)
    try:
        yield
    finally:
        _forget_new_day(database)


def _forget_new_day(database: Database) -> None:
    app = create_app({"DATABASE_URL": database.url})
    with app.app_context():
        if store.newest_day() == NEW_DAY:
            db.session.rollback()
            with store.transaction():
                store.replace_day(NEW_DAY, [])
                db.session.execute(
                    text("delete from ingested_days where day = :day"), {"day": NEW_DAY}
                )
                store.refresh_counts(NEW_DAY)
                store.bump_revision()
                db.session.execute(text("truncate wants"))
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def _measure(database: Database, packages: int, load: Load) -> None:
    requests = _requests(load, names(packages))
    totals = _totals(database, {request.package for request in requests if request.package})
    with serving(SITE, database, workers=WORKERS, **SETTINGS) as web:
        usage = Usage(web)
        notes, spans = _ask(web, packages, load, requests, usage)
        redrawn = _redrawn(web.url, notes)
    click.echo("comparing all answers with the truth")
    judge = Judge(database.url, database.folder, NEW_DAY, totals)
    bars = Bars()
    report(notes, judge.judge(notes.bodies), spans, redrawn, bars)
    report_rates(notes, spans, load.rates)
    usage.report(bars)
    bars.print()


def _requests(load: Load, packages: Sequence[str]) -> list[Request]:
    """Return what is asked for, one after the other."""
    random = Random(1)
    weights = list(accumulate((rank + 1) ** -load.exponent for rank in range(len(packages))))
    chosen = iter(random.choices(packages, cum_weights=weights, k=load.requests))
    shown = iter(_charted(random, load, packages, weights))
    kinds = random.choices(list(KINDS), [part for part, _, _ in KINDS.values()], k=load.requests)
    requests = []
    for number, (kind, package) in enumerate(zip(kinds, chosen, strict=True)):
        _, address, encodings = KINDS[kind]
        known: str | None = package
        if kind == "start":
            known = ALL_PACKAGES
        elif kind == "picture" and random.random() > ELSEWHERE:
            known = next(shown)
        if random.random() < UNKNOWN and kind != "start":
            known = None
        path = address.format(known or f"nobody-has-{number}")
        requests.append(Request(kind, path, known, encodings))
    return requests


def _charted(
    random: Random, load: Load, packages: Sequence[str], weights: Sequence[float]
) -> list[str]:
    """Return packages whose READMEs show a chart, each as often as its README is read."""
    shown: Sequence[str] = packages
    if load.charted:
        # Chosen by Zipf's law too: a package that is much used has a README that shows more.
        drawn = random.choices(packages, cum_weights=weights, k=50 * load.charted)
        shown = list(dict.fromkeys(drawn))[: load.charted]
        weights = list(accumulate((rank + 1) ** -load.exponent for rank in range(len(shown))))
    return random.choices(shown, cum_weights=weights, k=load.requests)


def _totals(database: Database, packages: set[str]) -> dict[str, int]:
    """Return those of the packages that are there, with their downloads of all time."""
    with contextlib.closing(psycopg2.connect(database.url)) as connection:
        cursor = connection.cursor()
        cursor.execute("select name, total from packages where name = any(%s)", (list(packages),))
        return dict(cursor.fetchall())


def _ask(
    web: Web, packages: int, load: Load, requests: list[Request], usage: Usage
) -> tuple[Notes, dict[str, Span]]:
    """Have the clients ask, and the day loaded meanwhile; return what they noted, and when."""
    noted = web.database.folder / "notes"
    plan = web.database.folder / "plan"
    host, _, port = web.url.removeprefix("http://").partition(":")
    plan.write_bytes(pickle.dumps(Plan(host, int(port), load.clients, requests, noted)))
    spans: dict[str, Span] = {}
    with subprocess.Popen(
        [sys.executable, "-c", CLIENTS, str(plan)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as clients:
        assert clients.stdin
        assert clients.stdout
        clients.stdout.readline()
        usage.watch(clients.pid)

        def span(label: str, rate: float) -> contextlib.AbstractContextManager[None]:
            return _span(label, rate, clients, spans, usage)

        with span("warm", load.rate):
            time.sleep(load.warm)
        end = time.time() + load.seconds
        with span("before", load.rate):
            time.sleep(load.seconds * 0.4)
        with span("ingest", load.rate):
            _load_day(web.database, packages)
        with span("around", load.rate):
            time.sleep(AROUND_SECONDS)
        with span("after", load.rate):
            time.sleep(max(AROUND_SECONDS, end - time.time()))
        for rate in load.rates:
            with span(f"{rate}/s", rate):
                time.sleep(RATE_SECONDS)
        clients.stdin.write("stop\n")
        clients.stdin.flush()
    plan.unlink()
    notes = pickle.loads(noted.read_bytes())
    noted.unlink()
    return notes, spans


@contextlib.contextmanager
def _span(
    label: str, rate: float, clients: "subprocess.Popen[str]", spans: dict[str, Span], usage: Usage
) -> Iterator[None]:
    """Let answers be noted under a label for as long as the block takes."""
    assert clients.stdin
    clients.stdin.write(f"rate {rate}\nlabel {label}\n")
    clients.stdin.flush()
    begin = time.time()
    usage.begin(label)
    yield
    usage.end(label)
    spans[label] = Span(begin, time.time())


def _load_day(database: Database, packages: int) -> None:
    """Load the day and make the lists, in a process of its own as the worker is."""
    words = [str(database.folder), database.url, str(NEW_DAY), str(packages), "1"]
    for step in ("ingest", "rank"):
        begin = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.steps", step, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        click.echo(f"{step} took {time.perf_counter() - begin:.1f} s")


def _redrawn(site: str, notes: Notes) -> tuple[int, int]:
    """Draw some of the pictures anew; return how many are the kept ones, and of how many."""
    paths = [path for path, tag in notes.bodies if tag and "/chart/" in path]
    chosen = Random(2).sample(sorted(set(paths)), min(REDRAWN, len(set(paths))))
    same = 0
    for path in chosen:
        with urllib.request.urlopen(f"{site}{path}?nocache=1") as drawn:
            same += drawn.read() == _newest(site + path)
    return same, len(chosen)


def _newest(url: str) -> bytes:
    """Return a kept picture, once it is not one from before any more."""
    while True:
        with urllib.request.urlopen(url) as kept:
            if "max-age=0," not in kept.headers["Cache-Control"]:
                return bytes(kept.read())
        time.sleep(0.2)


if __name__ == "__main__":
    main()
