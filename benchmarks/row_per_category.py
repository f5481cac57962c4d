"""The usual way, to compare with: a table per dimension, a row per package, category and day.

The keys are texts, and the two indexes are those that its pages read by. Rows go in as a daily job
of that kind puts them in, by `execute_values`, after the day's old rows are deleted.
"""

import contextlib
import datetime as dt
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from pypistats.catalog import WITH_MIRRORS, WITHOUT_MIRRORS, Counts, Dimension, PackageDay

_PACKAGES_A_BATCH = 5_000


def create_tables(url: str) -> None:
    """Make the tables, which the migrations of pypistats know nothing of."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        for dimension in Dimension:
            cursor.execute(f"{_creation(dimension)}; {_index(dimension)}")


def copy_from_store(url: str, packages: Collection[str] | None = None) -> None:
    """Make the tables that the reference app reads, of what the store has of these packages.

    None takes all that the store has. Tables that have all of them stay as they are. Days go in
    one after the other, as they come; the indexes are made last, and so are smaller than those
    that grow with each day. Nothing is logged, since a crash may empty the tables.
    """
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            if not _has(cursor, packages):
                _copy(cursor, packages)


def _copy(cursor: Cursor, packages: Collection[str] | None) -> None:
    # What was interrupted.
    cursor.execute(f"drop table if exists {', '.join(map(_table, _STORED))}")
    for dimension in _STORED:
        cursor.execute(_creation(dimension, kind="unlogged"))
    cursor.execute("select day from ingested_days where state <> 'missing' order by day")
    for (day,) in cursor.fetchall():
        cursor.execute(
            "create temp table chosen as select p.name, d.*"
            " from packages p join daily d on d.package_id = p.id"
            f" where d.day = %(day)s and {_CHOSEN}",
            {"day": day, **_names(packages)},
        )
        for dimension, counts in _STORED.items():
            cursor.execute(
                f"insert into {_table(dimension)} select day, name, category, downloads"
                f" from chosen cross join lateral ({counts}) counted (category, downloads)"
                " where downloads > 0 order by name"
            )
        cursor.execute("drop table chosen")
    for dimension in _STORED:
        cursor.execute(_index(dimension))
        cursor.execute(f"vacuum (freeze, analyze) {_table(dimension)}")
    # The last one tells that all is there.
    cursor.execute(
        f"""
        create unlogged table usual_recent (
            package varchar(128), category varchar(128), downloads bigint not null,
            primary key (package, category)
        );
        insert into usual_recent select name, period, downloads from packages p cross join lateral
            (values ('day', last_day), ('week', last_week), ('month', last_month))
            counted (period, downloads)
        where {_CHOSEN}
        """,
        _names(packages),
    )
    cursor.execute("vacuum (freeze, analyze) usual_recent")


_CHOSEN = "(%(names)s::text[] is null or p.name = any(%(names)s))"


def _names(packages: Collection[str] | None) -> dict[str, list[str] | None]:
    return {"names": None if packages is None else list(packages)}


_STORED = {
    Dimension.OVERALL: f"values ('{WITH_MIRRORS}', {WITH_MIRRORS}),"
    f" ('{WITHOUT_MIRRORS}', {WITHOUT_MIRRORS})",
    Dimension.PYTHON_MAJOR: "select split_part(key, '.', 1), sum(value::bigint)"
    " from json_each_text(python_minor) group by 1",
    Dimension.PYTHON_MINOR: "select key, value::bigint from json_each_text(python_minor)",
    Dimension.SYSTEM: "select key, value::bigint from json_each_text(system)",
}
"""The downloads by category in a row of the store, of each dimension that the reference app has."""


def _has(cursor: Cursor, packages: Collection[str] | None) -> bool:
    """Tell whether the tables have these packages; the sign of it is gone when they have not."""
    cursor.execute("select to_regclass('usual_recent') is not null")
    if cursor.fetchone() == (False,):
        return False
    cursor.execute(
        f"select exists (select from packages p where {_CHOSEN}"
        " and not exists (select from usual_recent u where u.package = p.name))",
        _names(packages),
    )
    if cursor.fetchone() == (False,):
        return True
    cursor.execute("drop table usual_recent")
    return False


def _creation(dimension: Dimension, *, kind: str = "") -> str:
    return (
        f"create {kind} table {_table(dimension)} (day date, package varchar(128),"
        " category varchar(128), downloads bigint not null)"
    )


def _index(dimension: Dimension) -> str:
    table = _table(dimension)
    return (
        f"alter table {table} add primary key (day, package, category);"
        f" create index on {table} (package)"
    )


def replace_day(url: str, day: dt.date, rows: Iterable[PackageDay]) -> int:
    """Put `rows` in place of the day's, in one transaction; return how many packages they were."""
    count = 0
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        for dimension in Dimension:
            cursor.execute(f"delete from {_table(dimension)} where day = %s", (day,))
        remaining = iter(rows)
        while batch := list(itertools.islice(remaining, _PACKAGES_A_BATCH)):
            for dimension in Dimension:
                _insert(cursor, dimension, batch)
            count += len(batch)
    return count


def _table(dimension: Dimension) -> str:
    return f"usual_{dimension}"


def _insert(cursor: Cursor, dimension: Dimension, rows: Iterable[PackageDay]) -> None:
    execute_values(
        cursor,
        f"insert into {_table(dimension)} (day, package, category, downloads) values %s",
        _category_rows(dimension, rows),
    )


def _category_rows(
    dimension: Dimension, rows: Iterable[PackageDay]
) -> Iterator[tuple[dt.date, str, str, int]]:
    for row in rows:
        for category, downloads in _counts(dimension, row).items():
            yield row.day, row.package, category, downloads


def _counts(dimension: Dimension, row: PackageDay) -> Counts:
    match dimension:
        case Dimension.OVERALL:
            return {WITH_MIRRORS: row.with_mirrors, WITHOUT_MIRRORS: row.without_mirrors}
        case Dimension.PYTHON_MAJOR:
            majors: Counter[str] = Counter()
            for minor, downloads in row.python_minor.items():
                majors[minor.partition(".")[0]] += downloads
            return majors
        case _:
            counts: Counts = getattr(row, dimension)
            return counts
