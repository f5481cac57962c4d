"""QUERY: all that is stored of one package, in one statement, which tells of when it is as well."""

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from pypistats.catalog import ALL_PACKAGES, Counts, PackageInfo
from pypistats.queries import (
    AMONG_NEWEST,
    DAY_COLUMNS,
    PackageNotFoundError,
    Recent,
    Revision,
    package_info_of,
)
from pypistats.reading import execute_prepared


class PackageDays(NamedTuple):
    """What is stored for a package's days, in order: each column has a value for each `day`.

    `day` has ISO dates.
    """

    day: Sequence[str]
    with_mirrors: Sequence[int]
    without_mirrors: Sequence[int]
    python_minor: Sequence[Counts]
    system: Sequence[Counts]
    installer: Sequence[Counts]
    version: Sequence[Counts]


class StoredPackage(NamedTuple):
    """All that is stored of a package, and the last change of the sum over all packages.

    `total` is of all days since the first, `info` what PyPI tells, None if it has told nothing;
    `is_info_known` tells whether it was asked.
    """

    recent: Recent
    total: int
    days: PackageDays
    info: PackageInfo | None
    is_info_known: bool
    sum_revision: Revision


def stored_package(package: str, *, days: int) -> StoredPackage:
    """Return a package with its newest `days` days. Raises PackageNotFoundError.

    A column of days comes as one text: PostgreSQL and the driver take half the time so.
    """
    row = execute_prepared(_STATEMENT, package=package, all=ALL_PACKAGES, days=days).one_or_none()
    if row is None:
        raise PackageNotFoundError(package)
    periods, total, revision = row[:3], row[3], row[4:6]
    dates, *columns = row[6 : 6 + len(PackageDays._fields)]
    found, *info = row[6 + len(PackageDays._fields) :]
    return StoredPackage(
        Recent(*periods),
        total,
        PackageDays((dates or "").split(), *(orjson.loads(each or "[]") for each in columns)),
        package_info_of(info) if found else None,
        found is not None,
        Revision(*revision),
    )


def _written() -> str:
    columns = ", ".join(f"'[' || string_agg({column}::text, ',') || ']'" for column in DAY_COLUMNS)
    info = ", ".join(f"i.{column}" for column in PackageInfo._fields)
    return (
        "select p.last_day, p.last_week, p.last_month, p.total,"
        f" r.revision, r.changed_at, d.*, i.found, {info} from packages p"
        " cross join (select revision, changed_at from data_revision union all"
        " select revision, changed_at from package_revisions where package = :all"
        " order by revision desc limit 1) r"
        f" cross join lateral (select string_agg(day::text, ' '), {columns} from"
        f" (select * from daily where package_id = p.id and {AMONG_NEWEST} order by day) ordered) d"
        " left join package_info i on i.package = p.name"
        " where p.name = :package"
    )


_STATEMENT = _written()
