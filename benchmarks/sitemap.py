"""What the sitemap of all of PyPI takes: `python -m benchmarks.sitemap`.

It fills a PostgreSQL of its own with 600,000 names, and asks the Procfile's web process for the
sitemap's index, for one part and for all of them, as a crawler does that comes once a day.
"""

import http.client
import re
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from benchmarks.bars import Bars
from benchmarks.database import database
from benchmarks.filled import DAY
from benchmarks.names import fill, migrated_app
from benchmarks.package_days import ALL_OF_PYPI, package_name
from benchmarks.web import Web, pin, serving
from pypistats.server import SITE

MIB = 2**20
MADE, KEPT = 0.3, 0.05
MOST_ADDRESSES, MOST_MIB = 50_000, 50
"""What the protocol allows in a part."""


class Part(NamedTuple):
    """A part of the sitemap: seconds until its first byte and its last, and what it has."""

    first_byte: float
    seconds: float
    size: int
    addresses: list[str]


@click.command()
def main() -> None:
    """Measure, and print the figures beside their bars."""
    pin()
    bars = Bars()
    with database() as running:
        migrated_app(running)
        fill(running, [package_name(rank, DAY) for rank in range(ALL_OF_PYPI)])
        with serving(SITE, running) as web:
            _measure(web, bars)
    bars.print()


def _measure(web: Web, bars: Bars) -> None:
    fetch(web, "/about")
    before = web.memory()
    index = fetch(web, "/sitemap.xml")
    bars.at_most("index, made", index.seconds, MADE, "s")
    parts = [fetch(web, urlsplit(address).path) for address in index.addresses]
    bars.at_most("a part's first byte, the slowest", max(p.first_byte for p in parts), MADE, "s")
    bars.at_most("a part, the slowest", max(part.seconds for part in parts), MADE, "s")
    kept = fetch(web, urlsplit(index.addresses[-1]).path)
    bars.at_most("a part, kept", kept.seconds, KEPT, "s")
    bars.at_most("addresses in a part", max(len(p.addresses) for p in parts), MOST_ADDRESSES)
    bars.at_most("the largest part", max(part.size for part in parts) / MIB, MOST_MIB, "MiB")
    bars.at_least("addresses in all", sum(len(part.addresses) for part in parts), ALL_OF_PYPI)
    bars.at_most("memory that all of them add", (web.memory() - before) / MIB, 100, "MiB")
    click.echo(f"{len(parts)} parts, {sum(part.seconds for part in parts):.1f} s for all of them")


def fetch(web: Web, path: str) -> Part:
    """Ask for a document, and read the addresses in it."""
    connection = http.client.HTTPConnection(urlsplit(web.url).netloc)
    start = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    first_byte = time.perf_counter() - start
    body = answer.read()
    seconds = time.perf_counter() - start
    connection.close()
    assert answer.status == http.HTTPStatus.OK, path
    return Part(first_byte, seconds, len(body), re.findall("<loc>(.*?)</loc>", body.decode()))


if __name__ == "__main__":
    main()
