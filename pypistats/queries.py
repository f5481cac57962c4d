"""QUERY: every read. Plain values come back, never the tables' own objects.

The names that come in are in normal form. A series holds `RETENTION_DAYS` days up to the last
loaded one, and only days on which the package was downloaded.
"""

import datetime as dt
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pypistats.catalog import (
    ALL_PACKAGES,
    DayState,
    LedgerDay,
    Link,
    PackageDay,
    PackageInfo,
    Period,
)
from pypistats.reading import execute, execute_prepared, stream

RANKS = 10_000
"""Ranks that are told: to count further would cost more than all else on a page."""

DAY_COLUMNS = ("with_mirrors", "without_mirrors", "python_minor", "system", "installer", "version")
"""What is stored for a package on a day."""

AMONG_NEWEST = (
    "day > (select max(day) from ingested_days where state <> 'missing') - cast(:days as int)"
)
"""The condition that a day is one of the newest `days`."""


class PackageNotFoundError(LookupError):
    """The store has no package of that name."""

    def __init__(self, package: str) -> None:
        super().__init__(f"there is no package {package!r} here")
        self.package = package


class Recent(NamedTuple):
    """Downloads without mirrors in the periods that end with the last loaded day."""

    last_day: int
    last_week: int
    last_month: int

    def of(self, period: Period) -> int:
        """Return the downloads of one period."""
        return self[tuple(Period).index(period)]


class DataStatus(NamedTuple):
    """What the store holds: its last loaded day, None when empty, and if any of it is made up."""

    last_day: dt.date | None
    sample: bool


class Revision(NamedTuple):
    """A change of the data: its number, which grows, and when it was made."""

    number: int
    changed_at: dt.datetime


class DataRevision(NamedTuple):
    """Where the data is: the number of the latest change, and what has changed.

    `whole` is the last change of all packages. `packages` are those that changed by themselves
    after it. `last_day` is the last loaded day, None without any, and `sample` tells whether any
    of the data is made up.
    """

    latest: int
    whole: Revision
    packages: Mapping[str, Revision]
    last_day: dt.date | None
    sample: bool = False

    def of(self, packages: Sequence[str] | None) -> Revision:
        """Return the last change of any of `packages`, or of any at all where they are None.

        Without any, that is the last change of all of them.
        """
        if packages is None:
            return max([self.whole, *self.packages.values()])
        return max([self.whole, *(self.packages.get(name, self.whole) for name in packages)])


class DayMarks(NamedTuple):
    """The ISO dates of what is not to be trusted in a series: days without data, and odd ones.

    `first` is where the series begins, None while nothing is loaded.
    """

    missing: list[str]
    suspect: list[str]
    first: str | None


def recent(package: str) -> Recent:
    """Return the recent downloads of one package. Raises PackageNotFoundError."""
    row = execute_prepared(
        "select last_day, last_week, last_month from packages where name = :package",
        package=package,
    ).one_or_none()
    if row is None:
        raise PackageNotFoundError(package)
    return Recent(*row)


def largest_months() -> Sequence[int]:
    """Return the last months' downloads of the largest packages, the sum among them, ascending.

    They are as many as it takes to give each of the first `RANKS` packages its rank.
    """
    rows = execute(
        "select last_month from packages order by last_month desc limit :most + 1", most=RANKS
    )
    return array("q", [downloads for (downloads,) in reversed(rows)])


def recent_of_several(packages: Sequence[str]) -> dict[str, Recent]:
    """Return the recent downloads of those of the packages that are known, in their order."""
    rows = execute(
        "select p.name, p.last_day, p.last_week, p.last_month"
        " from unnest(cast(:packages as text[])) with ordinality asked (name, place)"
        " join packages p on p.name = asked.name order by place",
        packages=list(packages),
    )
    return {name: Recent(*periods) for name, *periods in rows}


def total(package: str) -> int:
    """Return the downloads of one package, without mirrors, since `first_day`.

    Raises PackageNotFoundError.
    """
    downloads: int | None = execute_prepared(
        "select total from packages where name = :package", package=package
    ).scalar()
    if downloads is None:
        raise PackageNotFoundError(package)
    return downloads


def first_day() -> dt.date | None:
    """Return the first day that was ever loaded, purged ones included; None while none was."""
    day: dt.date | None = execute(
        "select least((select min(day) from purged_days),"
        " (select min(day) from ingested_days where state <> 'missing'))"
    ).scalar()
    return day


def series(package: str, columns: tuple[str, ...], *, days: int) -> list[Any]:
    """Return (ISO date, *columns) of one package for the newest `days` days, in order of date.

    `columns` are among DAY_COLUMNS. Raises PackageNotFoundError.
    """
    return list(zip(*series_columns(package, columns, days=days), strict=True))


def series_columns(package: str, columns: tuple[str, ...], *, days: int) -> list[list[Any]]:
    """Return what `series` does as columns: the ISO dates, and a list for each of `columns`.

    The days come as one row, a JSON list for each column, which is read in half the time of a row
    for each day. A package that is known and has no day takes a second statement.
    """
    chosen = [DAY_COLUMNS[DAY_COLUMNS.index(name)] for name in columns]
    joined = ", ".join(f"string_agg({name}::text, ',')" for name in ("day", *chosen))
    (row,) = execute_prepared(
        f"select {joined} from (select day, {', '.join(chosen)} from daily"
        " where package_id = (select id from packages where name = :package)"
        f" and {AMONG_NEWEST} order by day) days",
        package=package,
        days=days,
    )
    if row[0] is None:
        # It tells a package that is not known.
        total(package)
        return [[] for _ in row]
    dates, *values = row
    return [dates.split(","), *(orjson.loads(f"[{each}]") for each in values)]


def days_to_show(*, days: int) -> dict[str, bool]:
    """Return the loaded ones of the newest `days` days, and whether they are suspect.

    They are ISO dates, ascending.
    """
    rows = execute(
        "select day::text, state = 'suspect' from ingested_days"
        f" where state <> 'missing' and {AMONG_NEWEST} order by day",
        days=days,
    )
    return dict(map(tuple, rows))


def highest_package_id() -> int:
    """Return the largest number that a package has; the numbers have no large gaps."""
    highest: int = execute("select coalesce(max(id), 0) from packages").scalar()
    return highest


def names_numbered(first: int, last: int) -> list[str]:
    """Return the names of the packages with the numbers `first` to `last`, in their order."""
    rows = execute(
        "select name from packages where id between :first and :last order by id",
        first=first,
        last=last,
    )
    return [name for (name,) in rows]


def data_status() -> DataStatus:
    """Return how far the data reaches, and whether any of it comes from the sample source."""
    return DataStatus(
        *execute(
            "select max(day), coalesce(bool_or(source = 'sample'), false) from ingested_days"
            " where state <> 'missing'"
        ).one()
    )


def revision(since: int = 0) -> DataRevision:
    """Return where the data is, in one statement.

    Of the packages that changed by themselves, only those are told that did so after the change
    `since`: whoever asks again knows the others.
    """
    rows = execute_prepared(
        "select r.latest, r.revision, r.changed_at,"
        " (select max(day) from ingested_days where state <> 'missing'),"
        " exists (select from ingested_days where source = 'sample' and state <> 'missing'),"
        " p.package, p.revision, p.changed_at"
        " from data_revision r left join package_revisions p on p.revision > :since",
        since=since,
    )
    latest, number, changed_at, last_day, sample = rows[0][:5]
    packages = {row[5]: Revision(row[6], row[7]) for row in rows if row[5] is not None}
    return DataRevision(latest, Revision(number, changed_at), packages, last_day, sample)


def ledger() -> dict[dt.date, LedgerDay]:
    """Return what the ledger holds, the newest day first."""
    columns = ", ".join(LedgerDay._fields)
    rows = execute(f"select {columns} from ingested_days order by day desc")
    return {day: LedgerDay(day, DayState(state), *rest) for day, state, *rest in rows}


def loaded_days() -> list[LedgerDay]:
    """Return the days that are loaded, the newest first."""
    return [row for row in ledger().values() if row.state is not DayState.MISSING]


def is_loaded(day: dt.date) -> bool:
    """Tell whether a day is loaded, whatever else is to be done for it."""
    return any(row.day == day for row in loaded_days())


def day_marks(*, days: int) -> DayMarks:
    """Return the missing and the suspect ones of the newest `days` days, in order.

    They are the days of a series: up to the last loaded one, and not before the first.
    """
    rows = execute(
        "select day, state = 'suspect' from ingested_days where state <> 'missing' order by day"
    )
    if not rows:
        return DayMarks([], [], None)
    suspect = dict(map(tuple, rows))
    last = rows[-1][0]
    first = max(rows[0][0], last - dt.timedelta(days=days - 1))
    span = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    return DayMarks(
        [day.isoformat() for day in span if day not in suspect],
        [day.isoformat() for day in span if suspect.get(day)],
        first.isoformat(),
    )


def package_info(package: str) -> PackageInfo | None:
    """Return what PyPI told of a package; None if it was not asked yet or knew nothing."""
    columns = ", ".join(PackageInfo._fields)
    row = execute(
        f"select {columns} from package_info where package = :package and found", package=package
    ).one_or_none()
    if row is None:
        return None
    return package_info_of(row)


def package_info_of(values: Iterable[Any]) -> PackageInfo:
    """Return what PyPI told of a package from the values of its columns, as they are stored."""
    info = PackageInfo(*values)
    return info._replace(
        links=tuple(Link(*link) for link in info.links),
        releases={
            version: dt.date.fromisoformat(str(day)) for version, day in info.releases.items()
        },
        required=tuple(info.required),
        optional=tuple(info.optional),
    )


def release_days(package: str) -> dict[str, dt.date]:
    """Return the day of each release of a package; none if PyPI was not asked or knew nothing."""
    stored = execute(
        "select releases from package_info where package = :package and found", package=package
    ).scalar()
    return {version: dt.date.fromisoformat(str(day)) for version, day in (stored or {}).items()}


def is_known_name(package: str) -> bool | None:
    """Tell whether PyPI knows a package of that name; None while its names are not loaded."""
    known, loaded = execute(
        "select exists (select from known_names where name = :package),"
        " exists (select from known_names)",
        package=package,
    ).one()
    return bool(known) if loaded else None


def table_bytes() -> dict[str, int]:
    """Return the bytes on disk of the packages and of each month, indexes included."""
    rows = execute(
        "select c.relname, pg_total_relation_size(c.oid) from pg_class c"
        " where c.oid = 'packages'::regclass"
        " or c.oid in (select inhrelid from pg_inherits where inhparent = 'daily'::regclass)"
        " order by c.relname"
    )
    return dict(map(tuple, rows))


def stored_days(since: dt.date, until: dt.date) -> Iterator[PackageDay]:
    """Yield what is stored, the sum over all packages left out, in order of day and package.

    The rows stream from the database, a day at a time.
    """
    for offset in range((until - since).days + 1):
        day = since + dt.timedelta(days=offset)
        rows = stream(
            "select d.day, p.name, with_mirrors, without_mirrors, python_minor, system, installer,"
            " version from daily d join packages p on p.id = d.package_id"
            " where d.day = :day and p.name <> :all order by p.name",
            day=day,
            all=ALL_PACKAGES,
        )
        yield from map(PackageDay._make, rows)


def schema_revision() -> str | None:
    """Return the migration that the database is at; None for one without our tables."""
    if execute("select to_regclass('alembic_version')").scalar() is None:
        return None
    revision: str | None = execute("select version_num from alembic_version").scalar()
    return revision
