"""Made-up days as large as PyPI's, in a file, so that making them is not measured.

Sizes fall with rank as PyPI's do: the first package has some 60 million downloads a day, half of
all have a dozen or fewer. The maps are about as long as real ones. The same day is always the same.
"""

import datetime as dt
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import orjson

from pypistats.catalog import MIRRORS, NULL, OTHER, VERSIONS_KEPT, PackageDay
from pypistats.sources import FetchCost

ALL_OF_PYPI = 600_000
"""Packages with downloads on a day; a smaller day is made of every so many ranks."""

_LARGEST = 60_000_000
_NEW_EVERY = 100
"""One in so many packages of a day was not there on the day before."""

_SAMPLED_ONE_BY_ONE = 60
"""Up to so many downloads, each gets its category by chance; more are split by share."""

_PYTHONS = {
    "3.12": 0.21, "3.11": 0.19, NULL: 0.16, "3.10": 0.13, "3.13": 0.1, "3.9": 0.08, "3.8": 0.05,
    "3.14": 0.03, "3.7": 0.025, "3.6": 0.012, "2.7": 0.007, "3.5": 0.001,
}  # fmt: skip
_SYSTEMS = {"Linux": 0.64, NULL: 0.18, "Windows": 0.11, "Darwin": 0.06, OTHER: 0.005}
_CLIENTS = {
    "pip": 0.66, "uv": 0.24, "requests": 0.03, "Browser": 0.02, "poetry": 0.02, "setuptools": 0.006,
    "Nexus": 0.004, "pdm": 0.003, "Bazel": 0.002, "conda": 0.001,
}  # fmt: skip
_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "y")]


class GeneratedSource:
    """Gives the days that `generate` wrote to `folder`; `every` keeps one package in so many."""

    name = "benchmark"

    def __init__(self, folder: Path, *, every: int = 1) -> None:
        self.cost = FetchCost()
        self._folder = folder
        self._every = every

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        """Yield the rows of `since` to `until`, both inclusive, a line of the file at a time."""
        chosen = None if packages is None else frozenset(packages)
        for ordinal in range(since.toordinal(), until.toordinal() + 1):
            day = dt.date.fromordinal(ordinal)
            with day_file(self._folder, day).open("rb") as lines:
                for line in itertools.islice(lines, 0, None, self._every):
                    row = PackageDay(day, *orjson.loads(line))
                    if chosen is None or row.package in chosen:
                        yield row


def generate(folder: Path, day: dt.date, packages: int) -> None:
    """Write a day of so many packages to `folder`: a JSON list a line, in no order of size."""
    with day_file(folder, day).open("wb") as file:
        for row in package_days(day, packages):
            file.write(orjson.dumps(row[1:]))
            file.write(b"\n")


def package_days(day: dt.date, packages: int) -> Iterator[PackageDay]:
    """Yield the rows of a day of so many packages."""
    random = Random(day.toordinal())
    step = ALL_OF_PYPI / packages
    # A stride that is prime visits each rank once, in an order that looks like chance.
    for place in range(packages):
        rank = int(place * 7_368_787 % packages * step)
        yield _package_day(random, day, rank)


def day_file(folder: Path, day: dt.date) -> Path:
    """Return where `generate` writes a day."""
    return folder / f"{day}.jsonl"


def _package_day(random: Random, day: dt.date, rank: int) -> PackageDay:
    expected = _LARGEST * (1 + rank / 20) ** -1.6
    total = 1 + int(expected * random.lognormvariate(0, 0.3))
    mirrored = _part(random, total, max(0.002, 0.5 - 0.035 * math.log(total)))
    unknown = _part(random, total - mirrored, 0.02)
    without_mirrors = total - mirrored - unknown
    installer = _split(random, without_mirrors, _varied(random, _CLIENTS))
    others = {MIRRORS[0]: mirrored, NULL: unknown}
    return PackageDay(
        day=day,
        package=package_name(rank, day),
        with_mirrors=total,
        without_mirrors=without_mirrors,
        python_minor=_split(random, without_mirrors, _varied(random, _PYTHONS)),
        system=_split(random, without_mirrors, _varied(random, _SYSTEMS)),
        installer=installer | {name: count for name, count in others.items() if count},
        version=_split(random, without_mirrors, _versions(random, rank, without_mirrors)),
    )


def _part(random: Random, total: int, share: float) -> int:
    return int(total * share + random.random())


def package_name(rank: int, day: dt.date) -> str:
    """Return a name as long as real ones, for some ranks another one than on the day before."""
    number = rank + 1
    if rank % _NEW_EVERY == day.toordinal() % _NEW_EVERY:
        number += ALL_OF_PYPI
    # Odd, and so the numbers stay apart: neighbours in rank are none in the alphabet.
    number = number * 0x9E3779B1 % 2**32
    name = ""
    for separator in ("", "", "", "-", "", ""):
        number, place = divmod(number, len(_SYLLABLES))
        name += separator + _SYLLABLES[place]
    return name


def _varied(random: Random, weights: Mapping[str, float]) -> dict[str, float]:
    """Weigh the categories as one package's users would: some far more, others hardly."""
    return {category: weight * random.random() ** 3 for category, weight in weights.items()}


def _versions(random: Random, rank: int, downloads: int) -> dict[str, float]:
    """Weigh the kept releases: the newest has most, and packages in use have many."""
    known = min(VERSIONS_KEPT, 1 + int(random.expovariate(0.25) + math.log1p(downloads)))
    major, minor = divmod(rank, 40)
    weights = {f"{major % 7}.{minor}.{known - age}": 0.7**age for age in range(known)}
    if known == VERSIONS_KEPT:
        weights[OTHER] = 0.05
    return weights


def _split(random: Random, total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Share `total` out by weights, exactly; categories that come to nothing are left out."""
    if total <= _SAMPLED_ONE_BY_ONE:
        return Counter(random.choices(tuple(weights), tuple(weights.values()), k=total))
    scale = total / sum(weights.values())
    counts = {category: int(weight * scale) for category, weight in weights.items()}
    counts[max(counts, key=counts.__getitem__)] += total - sum(counts.values())
    return {category: count for category, count in counts.items() if count}
