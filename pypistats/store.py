"""STORE: every write. A day is replaced whole, in one transaction that the caller commits."""

import contextlib
import datetime as dt
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson
import psycopg2.errors
from sqlalchemy import Connection, text

from pypistats.catalog import ALL_PACKAGES, CATEGORIES_KEPT, OTHER, Counts, PackageDay, Period
from pypistats.extensions import db

LOADER_LOCK = 7001
"""The advisory lock that lets one loader write at a time; a crash releases it."""

DAY_LOCK = 7002
"""The space of the advisory locks that let one worker at a time work on a day."""

_COLUMNS = "with_mirrors, without_mirrors, python_minor, system, installer, version"
_MAPS = ("python_minor", "system", "installer", "version")
_SUMMED_MAPS = ("python_minor", "system", "installer")
_PARTITION = re.compile(r"daily_(\d{4})_(\d{2})")


class RepeatedPackageError(Exception):
    """The rows of a day hold a package twice; the message is the database's detail."""


@contextlib.contextmanager
def transaction() -> Iterator[None]:
    """Commit what is written inside, or roll all of it back on an error."""
    try:
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@contextlib.contextmanager
def day_lock(day: dt.date, *, wait: bool = False) -> Iterator[bool]:
    """Hold a day for this process; give False at once if another has it, unless told to `wait`.

    It outlasts transactions, on a connection of its own, and ends with the process however that
    ends.
    """
    lock = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    key = {"space": DAY_LOCK, "day": day.toordinal()}
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = connection.execute(text(f"select {lock}(:space, :day)"), key).scalar()
        try:
            yield held is not False
        finally:
            if held is not False:
                connection.execute(text("select pg_advisory_unlock(:space, :day)"), key)


def replace_day(
    day: dt.date, rows: Iterable[PackageDay], *, packages: Collection[str] | None = None
) -> int:
    """Put `rows` in place of what is stored for `day`; return how many packages it then has.

    Replacing, and not upserting, also drops packages that a corrected day no longer has. With
    `packages`, only what is stored for these is replaced, and `rows` has no others. The sum over
    all packages goes: `add_sum` makes it anew in the same transaction. The caller commits, so
    readers see the old day or the new one. Raises RepeatedPackageError when `rows` holds a
    package twice.
    """
    _execute("select pg_advisory_xact_lock(:key)", key=LOADER_LOCK)
    _ensure_partition(day)
    _stage(rows)
    _add_names()
    _delete_day(day, packages)
    count = _insert_staged(day)
    if packages is None:
        return count
    return int(_execute("select count(*) from daily where day = :day", day=day).scalar())


def add_sum(day: dt.date, *, whole: bool) -> int:
    """Store the sum over the packages that `replace_day` has put in place, as one more package.

    Returns its downloads with mirrors. `whole` tells that all packages were replaced: then the
    staged rows are the day, and adding them spares a look through the month. The sum has no
    versions, since the same number means another thing for each package.
    """
    rows = "stage" if whole else f"(select {_COLUMNS} from daily where day = :day) stored"
    maps = ", ".join(_summed_map(column, rows) for column in _SUMMED_MAPS)
    inserted = _execute(
        f"""
        insert into daily (package_id, day, {_COLUMNS})
        select (select id from packages where name = :all), :day,
            coalesce(sum(with_mirrors), 0), coalesce(sum(without_mirrors), 0), {maps}, '{{}}'
        from {rows}
        returning with_mirrors
        """,
        day=day,
        all=ALL_PACKAGES,
        kept=CATEGORIES_KEPT,
        other=OTHER,
    )
    return int(inserted.scalar())


def refresh_recent(changed: dt.date) -> None:
    """Count the recent downloads of all packages anew, if `changed` is a day that they cover.

    They end with the newest day in the ledger, and are counted from scratch, so that they can't
    drift and any repeated ingest heals them.
    """
    newest = newest_day()
    if newest is None:
        _execute("update packages set last_day = 0, last_week = 0, last_month = 0")
    elif newest - changed < dt.timedelta(days=Period.MONTH.days):
        # The newest day goes in as a value: by a subquery all months would be scanned.
        _execute(
            """
            with recent as (
                select package_id,
                    coalesce(sum(without_mirrors) filter (where day = :newest), 0) as last_day,
                    coalesce(sum(without_mirrors) filter (where day > :week), 0) as last_week,
                    sum(without_mirrors) as last_month
                from daily where day > :month and day <= :newest group by package_id
            ), wanted as (
                select p.id, coalesce(r.last_day, 0) as last_day,
                    coalesce(r.last_week, 0) as last_week, coalesce(r.last_month, 0) as last_month
                from packages p left join recent r on r.package_id = p.id
            )
            update packages p
            set last_day = w.last_day, last_week = w.last_week, last_month = w.last_month
            from wanted w
            where w.id = p.id and (p.last_day, p.last_week, p.last_month)
                is distinct from (w.last_day, w.last_week, w.last_month)
            """,
            newest=newest,
            week=newest - dt.timedelta(days=Period.WEEK.days),
            month=newest - dt.timedelta(days=Period.MONTH.days),
        )


def bump_revision(packages: Collection[str] | None = None) -> None:
    """Give the data its next revision: answers made from it before are made anew.

    `packages` are the only ones that changed; None means all, whatever they are. Call it last in
    the transaction that changes what is answered: its row is locked until the commit, so that
    revisions are numbered in the order of the commits.
    """
    if packages is None:
        _execute(
            "update data_revision"
            " set latest = latest + 1, revision = latest + 1, changed_at = clock_timestamp()"
        )
        _execute("delete from package_revisions")
    else:
        _execute(
            """
            with next as (update data_revision set latest = latest + 1 returning latest)
            insert into package_revisions (package, revision, changed_at)
            select changed.package, next.latest, clock_timestamp()
            from next, unnest(cast(:packages as text[])) as changed (package)
            on conflict (package) do update
            set revision = excluded.revision, changed_at = excluded.changed_at
            """,
            packages=sorted(set(packages)),
        )


def newest_day() -> dt.date | None:
    """Return the last loaded day; None while there is none."""
    newest: dt.date | None = _execute(
        "select max(day) from ingested_days where state <> 'missing'"
    ).scalar()
    return newest


def purge_before(day: dt.date) -> list[str]:
    """Drop the months that ended before `day`; return the names of their partitions.

    Works in steps that each commit, since PostgreSQL detaches without blocking readers only
    outside a transaction, and waits for those that have read: the caller's own ends here. A purge
    that was cut off is finished by the next one.
    """
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # The ledger goes first: a purge cut off here leaves rows that no one reads.
        connection.execute(
            text("delete from ingested_days where day < :first"), {"first": day.replace(day=1)}
        )
        dropped = [
            name for name, first in _partitions(connection).items() if _next_month(first) <= day
        ]
        for name in dropped:
            _detach(connection, name)
            connection.execute(text(f"drop table {name}"))
    with transaction():
        refresh_recent(newest_day() or day)
        bump_revision()
    return dropped


def _execute(statement: str, **values: Any) -> Any:
    return db.session.execute(text(statement), values)


def _ensure_partition(day: dt.date) -> None:
    """Make the month's partition. Attaching lets readers go on, `partition of` would not."""
    first = day.replace(day=1)
    name = f"daily_{first:%Y_%m}"
    if _execute("select to_regclass(:name)", name=name).scalar() is None:
        _execute(f"create table {name} (like daily including all)")
        _execute(
            f"alter table daily attach partition {name}"
            f" for values from ('{first}') to ('{_next_month(first)}')"
        )


def _next_month(first: dt.date) -> dt.date:
    return (first + dt.timedelta(days=32)).replace(day=1)


def _partitions(connection: Connection) -> Mapping[str, dt.date]:
    """Return the first day of each month's table by its name, attached or not, oldest first."""
    names = connection.execute(
        text(
            "select relname from pg_class where relkind = 'r' and relname ~ '^daily_[0-9_]+$'"
            " and relnamespace = current_schema()::regnamespace order by relname"
        )
    ).scalars()
    found = filter(None, map(_PARTITION.fullmatch, names))
    return {match[0]: dt.date(int(match[1]), int(match[2]), 1) for match in found}


def _detach(connection: Connection, name: str) -> None:
    pending = connection.execute(
        text("select inhdetachpending from pg_inherits where inhrelid = to_regclass(:name)"),
        {"name": name},
    ).scalar()
    if pending is not None:
        how = "finalize" if pending else "concurrently"
        connection.execute(text(f"alter table daily detach partition {name} {how}"))


def _stage(rows: Iterable[PackageDay]) -> None:
    """Copy `rows` into a table of this transaction, without holding them in memory."""
    _execute(
        """
        create temp table stage (
            package text collate "C", with_mirrors bigint, without_mirrors bigint,
            python_minor json, system json, installer json, version json
        ) on commit drop
        """
    )
    lines = _Lines(rows)
    with contextlib.closing(db.session.connection().connection.cursor()) as cursor:
        try:
            cursor.copy_expert("copy stage from stdin", lines, size=1 << 16)
        except psycopg2.Error:
            if lines.error is not None:
                raise lines.error from None
            raise
    _execute("analyze stage")


def _add_names() -> None:
    """Give the staged packages that are new an id.

    By an anti-join, since ON CONFLICT alone would burn an id for every package, every day. The
    planner is told of many new names: joins that follow would loop over them one by one.
    """
    added = _execute(
        """
        insert into packages (name)
        select package from stage s
        where not exists (select from packages p where p.name = s.package)
        on conflict do nothing
        """
    ).rowcount
    if added:
        _execute("analyze packages")


def _delete_day(day: dt.date, packages: Collection[str] | None) -> None:
    if packages is None:
        _execute("delete from daily where day = :day", day=day)
    else:
        _execute(
            """
            delete from daily where day = :day
            and package_id in (select id from packages where name = any(:packages))
            """,
            day=day,
            packages=[*packages, ALL_PACKAGES],
        )


def _insert_staged(day: dt.date) -> int:
    columns = ", ".join(f"s.{column.strip()}" for column in _COLUMNS.split(","))
    with contextlib.closing(db.session.connection().connection.cursor()) as cursor:
        try:
            cursor.execute(
                f"insert into daily (package_id, day, {_COLUMNS})"
                f" select p.id, %s, {columns} from stage s join packages p on p.name = s.package",
                (day,),
            )
        except psycopg2.errors.UniqueViolation as error:
            raise RepeatedPackageError(error.diag.message_detail) from error
        return int(cursor.rowcount)


def _summed_map(column: str, rows: str) -> str:
    """Write the subquery that sums one map over `rows`, its tail under `OTHER`."""
    return f"""(
        select coalesce(
            json_object_agg(category, downloads order by downloads desc, category), '{{}}')
        from (
            select case when place <= :kept then category else :other end as category,
                sum(downloads) as downloads
            from (
                select key as category, sum(value::bigint) as downloads,
                    row_number() over (order by sum(value::bigint) desc, key) as place
                from {rows}, json_each_text({column}) group by key
            ) ranked
            group by 1
        ) summed
    )"""


class _Lines:
    """The rows as lines of COPY's text format, read in pieces, as a file would be."""

    def __init__(self, rows: Iterable[PackageDay]) -> None:
        self.error: BaseException | None = None
        self._rows = iter(rows)

    def read(self, size: int) -> str:
        """Return about `size` characters; an error of the rows is kept for whoever copies."""
        lines: list[str] = []
        length = 0
        try:
            for row in self._rows:
                line = _line(row)
                lines.append(line)
                length += len(line)
                if length >= size:
                    break
        except BaseException as error:
            self.error = error
            raise
        return "".join(lines)


def _line(row: PackageDay) -> str:
    maps = "\t".join(_json(getattr(row, column)) for column in _MAPS)
    return f"{row.package}\t{row.with_mirrors}\t{row.without_mirrors}\t{maps}\n"


def _json(counts: Counts) -> str:
    """Write a map for COPY, which wants JSON's backslashes doubled.

    PostgreSQL can't take NUL apart from JSON, and user agents are free text: it is replaced.
    """
    written = orjson.dumps(counts).decode()
    if "\\" not in written:
        return written
    if "\\u0000" in written:
        cleaned: dict[str, int] = {}
        for category, downloads in counts.items():
            clean = category.replace("\0", "\N{REPLACEMENT CHARACTER}")
            cleaned[clean] = cleaned.get(clean, 0) + downloads
        written = orjson.dumps(cleaned).decode()
    return written.replace("\\", "\\\\")
