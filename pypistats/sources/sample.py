"""SOURCE: made-up downloads of real packages, for trying the site without an account anywhere.

The numbers of a package on a day depend on its name, its place in `sample_packages.txt` and the
date alone: loading again on another day changes nothing that is loaded already. Cycles are counted
in days since the year 1 (`date.toordinal`), so that there is something to see in every window.
"""

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from random import Random

from pypistats.catalog import NULL, OTHER, VERSIONS_KEPT, Counts, PackageDay
from pypistats.sources import FetchCost

_LARGEST = 40_000_000
"""Downloads a day of the first package in the list; `_size` has the others'."""

_SETTLED_DAYS = 14
_GAP_EVERY, _GAP_AT, _GAPS = 55, 7, 3
"""Days that the sample lacks: none of the newest `_SETTLED_DAYS`, and the last `_GAPS` before."""

_SINGLE = "zope-testrecorder"
_SINGLE_EVERY, _SINGLE_AT = 180, 100
"""One download in 180 days; 100 and 7 differ modulo 5, so its day is never a gap."""

_MIRRORED_ONLY = "3to2"
"""Nobody but mirrors downloads it."""

_PASSING = (
    "langgraph",
    "mcp",
    "fastmcp",
    "marimo",
    "litellm",
    "smolagents",
    "pyrefly",
    "openai-agents",
    "ty",
)
_LIFE, _BIRTH_EVERY = 540, 120
"""Packages that are there for `_LIFE` days of each twice as many; one of them starts, another
ends, every `_BIRTH_EVERY` days. The order is that of their starts, backwards."""

_WINDOWS_ONLY = frozenset({"pywin32", "pywinpty", "colorama"})

_WEEK = (1.0, 1.05, 1.06, 1.04, 0.95)
"""Monday to Friday; what a weekend has is each package's own."""

_FIRST_RELEASES = dt.date(2018, 1, 1).toordinal()
_UPTAKE_DAYS = 9
"""After so many days, 63 % of those who will take a release have taken it."""

_PYTHON_LIFE_YEARS = 2.4
_PYTHON_SPREAD_YEARS = 1.6
_MINORS = range(6, 30)
"""Python 3 releases, one each October from 3.9 in 2020; those to come have no downloads yet."""


@dataclass(frozen=True, slots=True)
class _Character:
    """What is particular to a package; weights are relative."""

    size: float
    weekend: float
    amplitude: float
    period: float
    phase: float
    python_lag: int
    installers: Mapping[str, float]
    mirrors: Mapping[str, float]
    systems: Mapping[str, float]
    releases: "_Releases"


@dataclass(frozen=True, slots=True)
class _Releases:
    """How a package numbers its releases, and how its users take them up."""

    every: int
    first: int
    major: int
    minors: int
    patches: int
    calendar: bool
    upgrading: float

    def released(self, number: int) -> int:
        """Return the ordinal of the day a release came out; somewhat irregular."""
        return self.first + number * self.every + (number * 2_654_435_761 >> 7) % self.every

    def newest(self, ordinal: int) -> int:
        """Return the number of the newest release on a day; the first was always there."""
        number = (ordinal - self.first) // self.every
        return max(0, number if self.released(number) <= ordinal else number - 1)

    def version(self, number: int) -> str:
        """Return the name of a release."""
        if self.calendar:
            day = dt.date.fromordinal(self.released(number))
            return f"{day.year}.{day.month}.{day.day}"
        minor, patch = divmod(number, self.patches)
        major, minor = divmod(minor, self.minors)
        return f"{self.major + major}.{minor}.{patch}"

    def weights(self, ordinal: int) -> dict[str, float]:
        """Return the share of each release in use on a day.

        Of those who are not on a newer one, a release gets `upgrading`, and gets them slowly.
        """
        shares = {}
        left = 1.0
        for number in range(self.newest(ordinal), -1, -1):
            age = max(0, ordinal - self.released(number))
            share = left * self.upgrading * (1 - math.exp(-(age + 1) / _UPTAKE_DAYS))
            shares[self.version(number)] = share
            left -= share
            if left < 0.02:
                break
        return shares


class SampleSource:
    """Gives made-up downloads of the packages in `sample_packages.txt`."""

    name = "sample"

    def __init__(self, until: dt.date, days: int = 180) -> None:
        """Have `days` days that end with `until`, gaps included."""
        self.cost = FetchCost()
        self._window = [until - dt.timedelta(days=ago) for ago in reversed(range(days))]
        names = _names()
        self._characters = {
            name: _character(name, rank / len(names)) for rank, name in enumerate(names)
        }

    def days(self) -> list[dt.date]:
        """Return the days that it has, ascending: the window without its gaps."""
        settled = self._window[:-_SETTLED_DAYS]
        gaps = [day for day in settled if day.toordinal() % _GAP_EVERY == _GAP_AT][-_GAPS:]
        return [day for day in self._window if day not in gaps]

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int | None:
        """Return 0 for days that it all lacks, else None, since nothing is billed here."""
        return None if any(since <= day <= until for day in self.days()) else 0

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        """Yield the rows of `since` to `until`, both inclusive, by day and popularity."""
        chosen = None if packages is None else frozenset(packages)
        for day in self.days():
            if since <= day <= until:
                for name, character in self._characters.items():
                    if chosen is None or name in chosen:
                        yield from _package_day(day, name, character)


def _names() -> list[str]:
    """Return the packages, the most popular first."""
    data = resources.files("pypistats.sources").joinpath("sample_packages.txt")
    return data.read_text(encoding="utf-8").split()


def _character(name: str, place: float) -> _Character:
    """Make a package up, from its name and its place in the list (0 to 1)."""
    random = _random(name)
    size = _size(place)
    return _Character(
        size=size,
        weekend=random.uniform(0.55, 0.75),
        amplitude=random.uniform(0.05, 0.5),
        period=random.uniform(500, 1100),
        phase=random.uniform(0, math.tau),
        python_lag=30 * random.randrange(13),
        installers=_varied(random, _INSTALLERS),
        mirrors={name: weight * min(size, 60) for name, weight in _MIRRORS.items()},
        systems=_varied(random, _WINDOWS if name in _WINDOWS_ONLY else _SYSTEMS),
        releases=_releases(random),
    )


_INSTALLERS = {
    "pip": 0.62,
    "uv": 0.27,
    "poetry": 0.04,
    "pdm": 0.006,
    "pipenv": 0.004,
    "requests": 0.01,
    "Browser": 0.006,
    "Nexus": 0.008,
    "Bazel": 0.005,
    "conda": 0.003,
    "setuptools": 0.001,
    NULL: 0.02,
}
_MIRRORS = {"bandersnatch": 0.05, "Artifactory": 0.01, "devpi": 0.006, "z3c.pypimirror": 0.001}
_SYSTEMS = {"Linux": 0.8, "Windows": 0.08, "Darwin": 0.06, NULL: 0.05, OTHER: 0.004}
_WINDOWS = {"Windows": 0.9, "Linux": 0.05, "Darwin": 0.01, NULL: 0.03, OTHER: 0.001}


def _size(place: float) -> float:
    """Return downloads a day: most packages in the list are large, the last few get a handful."""
    return _LARGEST * math.exp(-5 * math.sqrt(place) - 11.5 * place**8)


def _random(seed: str) -> Random:
    """Return a generator that gives the same numbers for the same text everywhere."""
    return Random(seed)  # noqa: S311


def _varied(random: Random, weights: Mapping[str, float]) -> dict[str, float]:
    return {name: weight * math.exp(random.gauss(0, 0.35)) for name, weight in weights.items()}


def _releases(random: Random) -> _Releases:
    every = random.choice((3, 7, 14, 21, 30, 45, 60, 90, 150))
    return _Releases(
        every=every,
        first=_FIRST_RELEASES - random.randrange(every),
        major=random.randrange(3),
        minors=random.choice((10, 14, 32)),
        patches=random.choice((1, 3, 4, 6)) if every > 7 else 40,
        calendar=random.random() < 0.08,
        upgrading=random.uniform(0.12, 0.3) if every < 30 else random.uniform(0.25, 0.6),
    )


# --- a day --------------------------------------------------------------------------------------


def _package_day(day: dt.date, name: str, character: _Character) -> Iterator[PackageDay]:
    """Yield a package's row of a day, if it has downloads."""
    ordinal = day.toordinal()
    random = _random(f"{name} {ordinal}")
    expected = _expected(name, character, ordinal)
    users = max(0, round(random.gauss(expected, math.sqrt(expected) + 0.03 * expected)))
    mirrored = _mirrored(random, character, ordinal)
    if name == _SINGLE:
        users, mirrored = int(ordinal % _SINGLE_EVERY == _SINGLE_AT), {}
    elif name == _MIRRORED_ONLY:
        users = 0
    elif not expected:
        mirrored = {}
    if users or mirrored:
        yield _row(day, name, character, random=random, users=users, mirrored=mirrored)


def _row(
    day: dt.date,
    name: str,
    character: _Character,
    *,
    random: Random,
    users: int,
    mirrored: Mapping[str, int],
) -> PackageDay:
    """Split the downloads of `users`, which are not mirrors', by every dimension."""
    ordinal = day.toordinal()
    installer = _split(users, character.installers, random)
    without_mirrors = users - installer.get(NULL, 0)
    version = _split(without_mirrors, character.releases.weights(ordinal), random)
    return PackageDay(
        day=day,
        package=name,
        with_mirrors=users + sum(mirrored.values()),
        without_mirrors=without_mirrors,
        python_minor=_split(without_mirrors, _pythons(ordinal - character.python_lag), random),
        system=_split(without_mirrors, character.systems, random),
        installer={**installer, **mirrored},
        version=_capped(version),
    )


def _expected(name: str, character: _Character, ordinal: int) -> float:
    """Return how many downloads other than mirrors' a day has on average."""
    weekday = (ordinal - 1) % 7
    week = _WEEK[weekday] if weekday < 5 else character.weekend
    wave = math.sin(math.tau * ordinal / character.period + character.phase)
    return character.size * week * math.exp(character.amplitude * wave) * _presence(name, ordinal)


def _presence(name: str, ordinal: int) -> float:
    """Return which share of its users a package that comes and goes has by now."""
    if name not in _PASSING:
        return 1.0
    age = (ordinal + _BIRTH_EVERY * _PASSING.index(name)) % (2 * _LIFE)
    return 1 - math.exp(-(age + 1) / 25) if age < _LIFE else 0.0


def _mirrored(random: Random, character: _Character, ordinal: int) -> dict[str, int]:
    """Return what mirrors download: a little each day, and each release when it comes out."""
    releases = character.releases
    fresh = ordinal - releases.released(releases.newest(ordinal)) <= 1
    counts = {
        name: int(weight * (12 if fresh else 1) * random.uniform(0.6, 1.4) + random.random())
        for name, weight in character.mirrors.items()
    }
    return {name: downloads for name, downloads in counts.items() if downloads}


@lru_cache(maxsize=1024)
def _pythons(ordinal: int) -> dict[str, float]:
    """Return the share of each Python version on a day: it rises after a release, then fades."""
    years = (ordinal - dt.date(2020, 10, 5).toordinal()) / 365.25
    weights = {"2.7": 0.01, NULL: 0.06}
    for minor in _MINORS:
        age = years - (minor - 9)
        if age > 0:
            away = (age - _PYTHON_LIFE_YEARS) / _PYTHON_SPREAD_YEARS
            weights[f"3.{minor}"] = 0.3 * math.exp(-away * away) + 0.002
    return weights


def _split(total: int, weights: Mapping[str, float], random: Random) -> dict[str, int]:
    """Share `total` out by weights, exactly, and by chance where it comes to single downloads."""
    scale = total / sum(weights.values())
    reached = random.uniform(0.01, 0.99)
    counts = {}
    given = 0
    for category, weight in weights.items():
        reached += weight * scale
        whole = int(reached)
        if whole > given:
            counts[category] = whole - given
            given = whole
    return counts


def _capped(counts: Counts) -> Counts:
    """Return the largest `VERSIONS_KEPT` of `counts`, and the rest as `OTHER`."""
    if len(counts) <= VERSIONS_KEPT:
        return counts
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(downloads for _, downloads in ordered[VERSIONS_KEPT:])
    return {**dict(ordered[:VERSIONS_KEPT]), OTHER: rest}
