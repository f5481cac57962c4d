"""The endpoints whose cost is measured, and how an uncached answer of each is had."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from benchmarks import reference_app, wrk
from benchmarks.database import Database
from benchmarks.filled import names
from benchmarks.web import REFERENCE, Web

COMMON = 6_000
"""Packages that databases of every size have, from the largest to the smallest."""

LARGEST = 3_000
"""Of those that are most downloaded, so many are measured by themselves."""

EXPONENT = 1.1
"""Of Zipf's law, by which visitors ask for packages."""

_WARMING = 300
"""Packages asked for before it counts, so that connections are open and have looked up tables."""


class Endpoint(NamedTuple):
    """A kind of answer; `bar` is the CPU, in milliseconds, that making one may take."""

    title: str
    path: str
    bar: float


RECENT = Endpoint("recent", "/api/packages/{}/recent", 0.7)
SYSTEM = Endpoint("series, system", "/api/packages/{}/system", 2.5)
PAGE = Endpoint("package's page", "/packages/{}", 5)
SERIES_AND_PAGE = (
    Endpoint("series, overall", "/api/packages/{}/overall", 2.5),
    Endpoint("series, python_major", "/api/packages/{}/python_major", 2.5),
    Endpoint("series, python_minor", "/api/packages/{}/python_minor", 2.5),
    SYSTEM,
    PAGE,
)
ENDPOINTS = (RECENT, *SERIES_AND_PAGE)


_USUAL_SECONDS = 5
"""Long enough for dozens of pages, of which each may take a tenth of a second."""

_READ, _READ_USUAL = 2_500, 1_000
"""More packages than are asked for their series in the seconds of a load."""

_OURS = (
    "select sum(length(version::text)) from daily"
    " where package_id = (select id from packages where name = '{}')"
)
_USUAL = "; ".join(
    f"select sum(downloads) from usual_{dimension} where package = '{{0}}'"
    for dimension in reference_app.SERIES
)


class RepeatedError(Exception):
    """More was asked for than there are packages, so that answers were kept ones."""


def common_names() -> list[str]:
    """Return the packages that all databases have, in an order that looks like chance."""
    chosen = names(COMMON)
    Random(1).shuffle(chosen)
    return chosen


def asked_names(packages: int) -> list[str]:
    """Return packages in the order in which visitors first ask for them: large ones come early."""
    chance = Random(1)
    moments = {
        name: chance.expovariate((rank + 1) ** -EXPONENT)
        for rank, name in enumerate(names(packages))
    }
    return sorted(moments, key=moments.__getitem__)[:COMMON]


def largest_names(packages: int) -> list[str]:
    """Return the most downloaded ones of so many packages, whose answers are the longest."""
    chosen = names(packages)[:LARGEST]
    Random(1).shuffle(chosen)
    return chosen


def read_from_disk(database: Database, app: str, packages: Sequence[str]) -> None:
    """Have the system read what the app will, so that it is in memory as it is under traffic."""
    read, count = (_USUAL, _READ_USUAL) if app == REFERENCE else (_OURS, _READ)
    database.execute(*(read.format(name) for name in packages[:count]))


def made_usually(web: Web, endpoint: Endpoint, packages: Sequence[str]) -> wrk.Load:
    """Measure the answers of an app that keeps none, and so may be asked twice for one."""
    return wrk.load(web, warmed(web, endpoint, packages), _USUAL_SECONDS)


def made(web: Web, endpoint: Endpoint, packages: Sequence[str]) -> wrk.Load:
    """Measure answers that nobody has asked for before. Raises RepeatedError.

    It takes so few seconds that no package is asked for a second time.
    """
    paths = warmed(web, endpoint, packages)
    load = wrk.load(web, paths, len(paths) // 2_500)
    if load.requests > len(paths):
        raise RepeatedError(f"{endpoint.title}: {load.requests} answers in {load.seconds:.0f} s")
    return load


def warmed(web: Web, endpoint: Endpoint, packages: Sequence[str]) -> list[str]:
    """Ask for the answers of some of the packages; return the paths of the others."""
    paths = [endpoint.path.format(name) for name in packages]
    wrk.load(web, paths[:_WARMING], 1)
    return paths[_WARMING:]
