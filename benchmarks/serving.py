"""What serving costs: `make bench-serving`, which needs `wrk` (Debian's package of that name).

The Procfile's web process, a bare WSGI hello and a reference app written the usual way are loaded
one after the other, under the same settings, with one worker each. The hello is served by gunicorn
as well, which kept answers are compared with. The load comes from the last
processor, all else runs on the first. Ratios are of one run; processor time is what /proc counts
for the web processes, PostgreSQL and Valkey together.
"""

import os
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks import row_per_category, wrk
from benchmarks.bars import Bars
from benchmarks.database import Database
from benchmarks.endpoints import (
    COMMON,
    ENDPOINTS,
    PAGE,
    RECENT,
    SERIES_AND_PAGE,
    SYSTEM,
    Endpoint,
    asked_names,
    largest_names,
    made,
    made_usually,
    read_from_disk,
    warmed,
)
from benchmarks.filled import filled
from benchmarks.paced import Times, paced
from benchmarks.package_days import ALL_OF_PYPI
from benchmarks.web import HELLO, LEAST, REFERENCE, Server, granian, gunicorn, pin, serving
from benchmarks.wrk import Load, load
from pypistats.server import SITE

KEPT = {
    RECENT.path: "recent, as JSON",
    "/badge/{}.svg": "badge, as SVG",
    **{endpoint.path: f"{endpoint.title}, br" for endpoint in SERIES_AND_PAGE},
    "/api/packages/{}/chart/system": "chart, as PNG",
}
BROTLI = "Accept-Encoding: br"

SAME_VOLUME = 60_000
"""Up to so many packages the reference app's tables have all that the store has, which takes 12 GB.
Of more they have those that are asked for."""


@click.command()
@click.option(
    "--packages", type=click.IntRange(COMMON, ALL_OF_PYPI), default=COMMON, show_default=True
)
@click.option("--days", type=click.IntRange(1, 365), default=180, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Keep the generated database here for the next run; without it, it goes.",
)
def main(packages: int, days: int, seconds: int, folder: Path | None) -> None:
    """Measure answers that are kept and answers that are not, and print tables."""
    wrk.require()
    pin()
    with filled(packages, days, folder) as database:
        measured = Serving(database, packages, seconds)
        click.echo(f"{packages:,} packages x {days} days, load {os.getloadavg()[0]:.1f}")
        _print("", "requests/s", "of hello", "CPU ms", "p50 ms", "p99 ms")
        measured.measure()
        click.echo(f"load {os.getloadavg()[0]:.1f}")
    measured.bars.print()


class Serving:
    """Measures one thing after the other, and keeps what later ones are compared with."""

    def __init__(self, database: Database, packages: int, seconds: int) -> None:
        self.bars = Bars()
        self._database = database
        self._seconds = seconds
        self._asked = asked_names(packages)
        self._largest = largest_names(packages)
        asked = {*self._asked, *self._largest}
        row_per_category.copy_from_store(database.url, asked if packages > SAME_VOLUME else None)

    def measure(self) -> None:
        """Measure all, and print a line each."""
        usual = self._made(REFERENCE, "usual way: {}", self._asked)
        usual_largest = self._made(REFERENCE, "usual way, largest: {}", self._largest)
        least = self._least()
        made = self._made(SITE, "made: {}", self._asked)
        made_largest = self._made(SITE, "made, largest: {}", self._largest)
        hello = self._hello("bare hello, by gunicorn", gunicorn)
        own_hello = self._hello("bare hello", granian, hello)
        kept = self._kept(hello)
        for endpoint in SERIES_AND_PAGE:
            self._compare(f"{endpoint.title}, made", usual[endpoint], made[endpoint], 10)
            title = f"{endpoint.title}, largest, made"
            self._compare(title, usual_largest[endpoint], made_largest[endpoint], 10)
            for ways in (usual, usual_largest):
                _print_ratio(f"usual way to the least: {endpoint.title}", ways[endpoint], least)
        for endpoint in SERIES_AND_PAGE:
            self._compare(f"{endpoint.title}, kept", usual[endpoint], kept[endpoint.path], 50)
        self._pace_kept(HELLO, "bare hello", "/", own_hello)
        self._pace_kept(SITE, "kept: recent", RECENT.path, kept[RECENT.path].rate)
        for endpoint in (RECENT, SYSTEM, PAGE):
            self._pace_made(endpoint, made[endpoint].rate)

    def _hello(self, title: str, server: Server, other: float | None = None) -> float:
        """Return the requests a second of an app that does nothing."""
        with serving(HELLO, self._database, server=server) as hello:
            return _row(title, load(hello, ["/"], self._seconds), other).rate

    def _made(self, app: str, title: str, packages: Sequence[str]) -> dict[Endpoint, Load]:
        """Measure an app's uncached answers, and judge those of the site."""
        loads = {}
        measure = made_usually if app == REFERENCE else made
        with serving(app, self._database) as web:
            for endpoint in ENDPOINTS:
                read_from_disk(self._database, app, packages)
                named = title.format(endpoint.title)
                loads[endpoint] = _row(named, measure(web, endpoint, packages))
                if app == SITE:
                    self.bars.at_most(f"CPU, {named}", loads[endpoint].cpu, endpoint.bar, "ms")
            if app == SITE:
                memory = web.memory() / 2**20
                self.bars.at_most(f"memory of a worker after the last, {named}", memory, 120, "MiB")
        return loads

    def _least(self) -> Load:
        """Measure what no answer that is made anew can do without."""
        with serving(LEAST, self._database) as web:
            paths = warmed(web, RECENT, self._asked)
            return _row("the least that is made", load(web, paths, 1))

    def _compare(self, title: str, usual: Load, ours: Load, bar: float) -> None:
        self.bars.at_least(f"CPU, usual way to ours: {title}", usual.cpu / ours.cpu, bar, "x")

    def _kept(self, hello: float) -> dict[str, Load]:
        """Return the load of each path of `KEPT`."""
        loads = {}
        with serving(SITE, self._database) as site:
            self.bars.at_most("start of a web process", site.started, 1.5, "s")
            for path, title in KEPT.items():
                address = path.format(self._asked[0])
                with urllib.request.urlopen(site.url + address) as answer:
                    etag = answer.headers["ETag"]
                loads[path] = load(site, [address], self._seconds, BROTLI)
                self._judge_kept(title, loads[path], hello, 0.7)
            same = load(site, [address], self._seconds, BROTLI, f"If-None-Match: {etag}")
            self._judge_kept("304", same, hello, 0.8)
        return loads

    def _judge_kept(self, title: str, kept: Load, hello: float, bar: float) -> None:
        _row(f"kept: {title}", kept, hello)
        self.bars.at_least(f"requests/s, kept to hello: {title}", kept.rate / hello, bar, "x")

    def _pace_kept(self, app: str, title: str, path: str, most: float) -> None:
        with serving(app, self._database) as web:
            paths = [path.format(self._asked[0])]
            for by_chance in (False, True):
                times = paced(web, paths, most / 2, self._seconds, by_chance=by_chance)
                _row_paced(title, times, by_chance=by_chance)

    def _pace_made(self, endpoint: Endpoint, most: float) -> None:
        for by_chance in (False, True):
            read_from_disk(self._database, SITE, self._asked)
            with serving(SITE, self._database) as site:
                paths = warmed(site, endpoint, self._asked)
                seconds = min(self._seconds, 0.9 * len(paths) / (most / 2))
                times = paced(site, paths, most / 2, seconds, by_chance=by_chance)
                title = _row_paced(f"made: {endpoint.title}", times, by_chance=by_chance)
                self.bars.at_most(f"p99 to p50, {title}", times.p99 / times.p50, 5, "x")


def _print_ratio(title: str, one: Load, other: Load) -> None:
    click.echo(f"{title:64}{one.cpu / other.cpu:>12.2f}")


def _row_paced(title: str, times: Times, *, by_chance: bool) -> str:
    """Print a line, and return its title."""
    title += ", half the load" + (", by chance" if by_chance else "")
    _print(title, f"{times.rate:,.0f}", "", "", f"{times.p50:.2f}", f"{times.p99:.2f}")
    return title


def _row(title: str, measured: Load, hello: float | None = None) -> Load:
    _print(
        title + (" (failed in part)" if measured.failed else ""),
        f"{measured.rate:,.0f}",
        "" if hello is None else f"{measured.rate / hello:.2f}",
        f"{measured.cpu:.2f}",
        f"{measured.p50:.2f}",
        f"{measured.p99:.2f}",
    )
    return measured


def _print(title: str, *cells: str) -> None:
    click.echo(f"{title:44}" + "".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    main()
