"""The usual way, to compare with: a table per dimension, a row per package, category and day.

The keys are texts, and the two indexes are those that its pages read by. Rows go in as a daily job
of that kind puts them in, by `execute_values`, after the day's old rows are deleted.
"""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from pypistats.catalog import WITH_MIRRORS, WITHOUT_MIRRORS, Counts, Dimension, PackageDay

_PACKAGES_A_BATCH = 5_000


def create_tables(url: str) -> None:
    """Make the tables, which the migrations of pypistats know nothing of."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        for dimension in Dimension:
            cursor.execute(
                f"""
                create table {_table(dimension)} (
                    day date, package varchar(128), category varchar(128),
                    downloads bigint not null, primary key (day, package, category)
                );
                create index on {_table(dimension)} (package)
                """
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
