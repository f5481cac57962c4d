"""The usual way, to compare with: a table per dimension, a row per package, category and day.

The keys are texts, and the two indexes are those that its pages read by. Rows go in as a daily job
of that kind puts them in, by `execute_values`, after the day's old rows are deleted.
"""

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


def copy_from_store(url: str, packages: Collection[str]) -> None:
    """Make the tables that the reference app reads, of what the store has of these packages.

    Tables that have all of them stay as they are. The indexes are made last, and so are smaller
    than those that grow with each day.
    """
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        if _has(cursor, packages):
            return
        cursor.execute(
            "create temp table chosen on commit drop as select p.name, d.*"
            " from packages p join daily d on d.package_id = p.id where p.name = any(%s)",
            (list(packages),),
        )
        for dimension, counts in _STORED.items():
            table = _table(dimension)
            cursor.execute(_creation(dimension))
            cursor.execute(
                f"insert into {table} select day, name, category, downloads"
                f" from chosen cross join lateral ({counts}) counted (category, downloads)"
                " where downloads > 0 order by day, name"
            )
            cursor.execute(f"{_index(dimension)}; analyze {table}")
        cursor.execute(
            """
            create table usual_recent (
                package varchar(128), category varchar(128), downloads bigint not null,
                primary key (package, category)
            );
            insert into usual_recent select name, period, downloads from packages cross join lateral
                (values ('day', last_day), ('week', last_week), ('month', last_month))
                counted (period, downloads)
            where name = any(%s);
            analyze usual_recent
            """,
            (list(packages),),
        )


_STORED = {
    Dimension.OVERALL: f"values ('{WITH_MIRRORS}', {WITH_MIRRORS}),"
    f" ('{WITHOUT_MIRRORS}', {WITHOUT_MIRRORS})",
    Dimension.PYTHON_MAJOR: "select split_part(key, '.', 1), sum(value::bigint)"
    " from json_each_text(python_minor) group by 1",
    Dimension.PYTHON_MINOR: "select key, value::bigint from json_each_text(python_minor)",
    Dimension.SYSTEM: "select key, value::bigint from json_each_text(system)",
}
"""The downloads by category in a row of the store, of each dimension that the reference app has."""


def _has(cursor: Cursor, packages: Collection[str]) -> bool:
    """Tell whether the tables have these packages; those that have not are dropped."""
    cursor.execute("select to_regclass('usual_recent') is not null")
    if cursor.fetchone() == (False,):
        return False
    cursor.execute(
        "select count(distinct package) from usual_recent where package = any(%s)",
        (list(packages),),
    )
    if cursor.fetchone() == (len(packages),):
        return True
    cursor.execute(f"drop table usual_recent, {', '.join(map(_table, _STORED))}")
    return False


def _creation(dimension: Dimension) -> str:
    return (
        f"create table {_table(dimension)} (day date, package varchar(128), category varchar(128),"
        " downloads bigint not null)"
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
