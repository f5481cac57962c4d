"""SOURCE: downloads of single packages from ClickPy's public ClickHouse, without any account.

Its table is ordered by package, so a package is read quickly, and its limits on what a query may
read rule a whole day of all packages out. Plain HTTP serves. No settings are sent, since a user
who may only read may change none.
"""

import datetime as dt
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, NamedTuple

import orjson
import requests

from pypistats.catalog import CATEGORIES_KEPT, MIRRORS, SYSTEMS, VERSIONS_KEPT, PackageDay
from pypistats.sources import FetchCost, SourceError
from pypistats.sources.web import Answer, Bounds, request

COLUMNS = (
    "day",
    "package",
    "with_mirrors",
    "without_mirrors",
    "python_minor",
    "system",
    "installer",
    "version",
    "read",
    "all_rows",
)
"""The columns of `clickhouse.sql`: those of `PackageDay`, and what shows whether it is whole."""

COUNT_COLUMNS = ("day", "package", "rows", "all_rows")
"""The columns of `clickhouse_counts.sql`."""

ALL_REFUSED = (
    "ClickHouse can't give a whole day of all packages, since its public server limits what a"
    " query may read"
)

BOUNDS = Bounds(total=90, size=64 * 2**20)
"""ClickPy ends a query after a minute."""

ROWS_A_QUERY = 500
"""Package-days asked for at once; ClickPy answers with 1,000 rows at most."""

PACKAGES_A_QUERY = 50
"""Names go into the address, and proxies take no long ones."""

READ_A_QUERY = 300_000_000
"""Downloads read at once. ClickPy stops reading after a billion, and does not say so."""

BELLWETHERS = ("boto3", "certifi", "numpy", "packaging", "requests", "setuptools", "urllib3")
"""Packages that everyone downloads, each day."""

_TOO_MUCH = frozenset({158, 159, 160, 241, 307, 396})
"""ClickHouse's codes of what a smaller query may be spared: too many rows or bytes read, too much
time or memory, too many rows or bytes in the result."""

_CODE = re.compile(r"Code: (\d+)")


_Counts = dict[tuple[dt.date, str], int]
"""How many downloads the table has, by day and package."""


class _TooMuchError(Exception):
    """The server's limits stand in the way of an answer, and parts of it may pass."""


class _Part(NamedTuple):
    """What one query asks for: days, both inclusive, and packages."""

    since: dt.date
    until: dt.date
    packages: tuple[str, ...]

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1

    @property
    def rows(self) -> int:
        """How many rows there can be."""
        return self.days * len(self.packages)

    def due(self, counts: "_Counts") -> "_Counts":
        """Return those of `counts` that are asked for."""
        return {
            (day, package): count
            for (day, package), count in counts.items()
            if self.since <= day <= self.until and package in self.packages
        }

    def halves(self) -> "tuple[_Part, _Part]":
        """Split it by package, and that of one package by day."""
        middle = len(self.packages) // 2
        if middle:
            first, second = self.packages[:middle], self.packages[middle:]
            return self._replace(packages=first), self._replace(packages=second)
        last = self.since + dt.timedelta(days=self.days // 2 - 1)
        return self._replace(until=last), self._replace(since=last + dt.timedelta(days=1))

    def __str__(self) -> str:
        packages = self.packages[0] if len(self.packages) == 1 else f"{len(self.packages)} packages"
        return f"{packages}, {self.since} to {self.until}"


class ClickHouseSource:
    """Reads `PackageDay` rows of single packages from the ClickHouse at `url`."""

    name = "clickhouse"

    def __init__(
        self, url: str, *, user: str, password: str | None, database: str, bounds: Bounds = BOUNDS
    ) -> None:
        self.cost = FetchCost()
        self._url = url
        self._database = database
        self._bounds = bounds
        self._session = requests.Session()
        self._session.headers["X-ClickHouse-User"] = user
        if password:
            self._session.headers["X-ClickHouse-Key"] = password

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int:
        """Return how many downloads some large packages have: it grows as a day comes in.

        What all have can't be told, and nobody is billed for it.
        """
        part = _Part(since, until, BELLWETHERS)
        try:
            return sum(self._counts(part).values())
        except _TooMuchError as error:
            raise SourceError(f"ClickHouse can't count {part}: {error}") from error

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        """Yield the rows of `packages` from `since` to `until`, both inclusive.

        Without packages it raises SourceError. First it asks how many downloads there are: an
        answer that holds fewer was cut off, and is asked for in halves, and these again.
        """
        if packages is None:
            raise SourceError(ALL_REFUSED)
        if packages and since <= until:
            yield from self._fetch(_Part(since, until, tuple(packages)))

    def _fetch(self, part: _Part) -> Iterator[PackageDay]:
        """Yield the rows of a part of any size."""
        if part.rows > ROWS_A_QUERY or len(part.packages) > PACKAGES_A_QUERY:
            yield from self._halves(part, self._fetch)
            return
        try:
            counts = self._counts(part)
        except _TooMuchError as error:
            yield from self._halves(part, self._fetch, error)
        else:
            yield from self._counted(part, counts)

    def _counted(self, part: _Part, counts: _Counts) -> Iterator[PackageDay]:
        """Yield the rows of a part, in pieces that the server can read."""
        due = part.due(counts)
        again = functools.partial(self._counted, counts=due)
        if sum(due.values()) > READ_A_QUERY and part.rows > 1:
            yield from self._halves(part, again)
            return
        try:
            rows = self._rows(part, due)
        except _TooMuchError as error:
            yield from self._halves(part, again, error)
        else:
            yield from rows

    def _halves(
        self,
        part: _Part,
        fetch: Callable[[_Part], Iterator[PackageDay]],
        error: _TooMuchError | None = None,
    ) -> Iterator[PackageDay]:
        """Fetch the halves of a part that is too much; one package's day has none."""
        if part.rows == 1:
            raise SourceError(f"ClickHouse can't give {part}: {error}") from error
        for half in part.halves():
            yield from fetch(half)

    def _counts(self, part: _Part) -> _Counts:
        """Return how many downloads there are."""
        answered = self._query("clickhouse_counts.sql", COUNT_COLUMNS, part)
        with _read(part):
            return {
                (dt.date.fromisoformat(day), package): int(count)
                for day, package, count in answered
            }

    def _rows(self, part: _Part, due: _Counts) -> list[PackageDay]:
        """Return the rows of one query. Raises _TooMuchError when it read less than is `due`."""
        answered = self._query("clickhouse.sql", COLUMNS, part)
        with _read(part):
            rows = [_package_day(*values) for *values, _ in answered]
            counts = {
                (row.day, row.package): int(values[-1])
                for row, values in zip(rows, answered, strict=True)
            }
        for key, count in due.items():
            if counts.get(key, 0) < count:
                raise _TooMuchError(f"it read {counts.get(key, 0):,} of {count:,} downloads")
        # A day may have downloads with a malformed Python only, which don't count.
        return [row for row in rows if row.with_mirrors]

    def _query(self, name: str, columns: tuple[str, ...], part: _Part) -> list[list[Any]]:
        """Run the query in the file `name`; return its rows, all of them there."""
        answer = request(
            self._session,
            "POST",
            self._url,
            bounds=self._bounds,
            params=_parameters(part, self._database),
            data=_sql(name).encode(),
        )
        if answer.status != 200:
            raise _failure(answer, part)
        return _lines(answer, columns, part)


# --- queries ----------------------------------------------------------------------------------


@functools.cache
def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _parameters(part: _Part, database: str) -> dict[str, str]:
    """Return the query's parameters as the URL has them."""
    values = {
        "database": database,
        "packages": _array(part.packages),
        "since": part.since.isoformat(),
        "until": part.until.isoformat(),
        "mirrors": _array(MIRRORS),
        "systems": _array(SYSTEMS),
        "versions_kept": str(VERSIONS_KEPT),
        "categories_kept": str(CATEGORIES_KEPT),
    }
    return {f"param_{name}": value for name, value in values.items()}


def _array(texts: Sequence[str]) -> str:
    """Write texts as ClickHouse's array of strings."""
    escaped = (text.replace("\\", "\\\\").replace("'", "\\'") for text in texts)
    return "[" + ",".join(f"'{text}'" for text in escaped) + "]"


# --- answers ----------------------------------------------------------------------------------


def _lines(answer: Answer, columns: tuple[str, ...], part: _Part) -> list[list[Any]]:
    """Read the rows, without their last column: a line has the columns' names, each other a row.

    An error that comes up while the server answers is text among the rows, in an answer that
    began with 200. Raises _TooMuchError when rows are missing.
    """
    lines = answer.content.splitlines()
    if not lines or _json(lines[0]) != list(columns):
        raise _failure(answer, part)
    rows, told = [], set()
    for number, line in enumerate(lines[1:], start=1):
        values = _json(line)
        if not isinstance(values, list) or len(values) != len(columns):
            rest = answer._replace(content=b"\n".join(lines[number:]))
            raise _failure(rest, part)
        rows.append(values[:-1])
        told.add(str(values[-1]))
    if rows and told != {str(len(rows))}:
        raise _TooMuchError(f"it gave {len(rows)} of {max(told)} rows")
    return rows


def _json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


@contextmanager
def _read(part: _Part) -> Iterator[None]:
    """Turn what can't be read as a row into a SourceError."""
    try:
        yield
    except (ValueError, TypeError, AttributeError) as error:
        raise SourceError(f"ClickHouse's answer for {part} has no such rows: {error}") from error


def _package_day(
    day: str, package: str, with_mirrors: int, without_mirrors: int, *maps: dict[str, int]
) -> PackageDay:
    """Build a row. Some servers write large integers as strings."""
    counts = [{name: int(downloads) for name, downloads in found.items()} for found in maps]
    return PackageDay(
        dt.date.fromisoformat(day), package, int(with_mirrors), int(without_mirrors), *counts
    )


def _failure(answer: Answer, part: _Part) -> Exception:
    """Return what an answer that is no result means."""
    code = _CODE.search(answer.text)
    if code is not None and int(code[1]) in _TOO_MUCH:
        return _TooMuchError(answer.text)
    return SourceError(
        f"ClickHouse failed for {part}: status {answer.status}, {answer.text or 'nothing'}"
    )
