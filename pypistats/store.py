"""STORE: every write. A day is replaced whole, in one transaction that the caller commits."""

import contextlib
import datetime as dt
import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import psycopg2.errors
from sqlalchemy import text

from pypistats import totals
from pypistats.catalog import ALL_PACKAGES, CATEGORIES_KEPT, OTHER, PackageDay, Period
from pypistats.extensions import db
from pypistats.partitions import ensure_partition
from pypistats.staging import stage_rows

LOADER_LOCK = 7001
"""The advisory lock that lets one loader write at a time; a crash releases it."""

DAY_LOCK = 7002
"""The space of the advisory locks that let one worker at a time work on a day."""

PACKAGE_LOCK = 7004
"""The space of those that let one worker at a time fetch a package."""

NO_DAY = dt.date(2000, 1, 1)
"""Stands for the last loaded day while there is none: PyPI is younger."""

_COLUMNS = "with_mirrors, without_mirrors, python_minor, system, installer, version"
_SUMMED_MAPS = ("python_minor", "system", "installer")


class RepeatedPackageError(Exception):
    """The rows of a day hold a package twice; the message is the database's detail."""


@contextlib.contextmanager
def transaction(*, isolation: str | None = None) -> Iterator[None]:
    """Commit what is written inside, or roll all of it back on an error.

    It begins at once, so that all reads and writes inside are part of it.
    """
    try:
        db.session.connection(execution_options={"isolation_level": isolation} if isolation else {})
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@contextlib.contextmanager
def day_lock(day: dt.date, *, wait: bool = False) -> Iterator[bool]:
    """Hold a day for this process; give False at once if another has it, unless told to `wait`."""
    with held(DAY_LOCK, day.toordinal(), wait=wait) as ours:
        yield ours


@contextlib.contextmanager
def package_lock(package: str) -> Iterator[bool]:
    """Hold a package for this process; give False at once if another has it."""
    # Two packages of the same number take turns, which is rare and does no harm.
    with held(PACKAGE_LOCK, zlib.crc32(package.encode()) - 2**31) as ours:
        yield ours


@contextlib.contextmanager
def held(*key: int, wait: bool = False) -> Iterator[bool]:
    """Hold the advisory lock of one or two numbers; give False at once if another has it.

    It is of a transaction that does nothing else, on a connection of its own: a crash ends that,
    and PgBouncer, which gives a connection away between transactions, keeps it for us.
    """
    lock = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    numbers = ", ".join(map(str, key))
    with db.engine.begin() as connection:
        connection.execute(text("set local idle_in_transaction_session_timeout = 0"))
        yield connection.execute(text(f"select {lock}({numbers})")).scalar() is not False


def take_turn() -> None:
    """Wait until no other loader writes, and let none until the transaction ends."""
    _execute("select pg_advisory_xact_lock(:key)", key=LOADER_LOCK)


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
    stage_rows(rows)
    # From here on loaders take turns. While a source is being read, which takes minutes, others go.
    take_turn()
    ensure_partition(day)
    _add_names()
    totals.begin_change()
    _delete_day(day, packages)
    count = _insert_staged(day)
    totals.end_change(day)
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


def refresh_counts(changed: dt.date) -> None:
    """Count the downloads of each package anew, after `replace_day` has changed a day.

    The recent ones are counted from scratch, if the day is one that they cover, so that they
    can't drift and any repeated ingest heals them. The totals take in what the day has changed;
    should they not be the sum of their days then, they are counted from scratch as well.
    """
    if not is_recent(changed):
        totals.add_change()
    else:
        _update_recent(total="p.total + coalesce(c.downloads, 0)", joined=totals.CHANGE)
    if not totals.agree():
        totals.rebuild()


def refresh_recent() -> None:
    """Count the recent downloads of all packages anew."""
    _update_recent()


def is_recent(day: dt.date) -> bool:
    """Tell whether recent downloads count a day, or would if it were loaded."""
    newest = newest_day()
    return newest is None or newest - day < dt.timedelta(days=Period.MONTH.days)


def _update_recent(*, total: str = "p.total", joined: str = "") -> None:
    """Set the recent downloads, which end with the newest loaded day, and the total with them."""
    # It goes in as a value: by a subquery all months would be scanned.
    newest = newest_day() or NO_DAY
    _execute(
        f"""
        with recent as (
            select package_id,
                coalesce(sum(without_mirrors) filter (where day = :newest), 0) as last_day,
                coalesce(sum(without_mirrors) filter (where day >= :week), 0) as last_week,
                sum(without_mirrors) as last_month
            from daily where day >= :month and day <= :newest group by package_id
        ), wanted as (
            select p.id, coalesce(r.last_day, 0) as last_day,
                coalesce(r.last_week, 0) as last_week, coalesce(r.last_month, 0) as last_month,
                {total} as total
            from packages p left join recent r on r.package_id = p.id {joined}
        )
        update packages p
        set last_day = w.last_day, last_week = w.last_week, last_month = w.last_month,
            total = w.total
        from wanted w
        where w.id = p.id and (p.last_day, p.last_week, p.last_month, p.total)
            is distinct from (w.last_day, w.last_week, w.last_month, w.total)
        """,
        newest=newest,
        week=newest - dt.timedelta(days=Period.WEEK.days - 1),
        month=newest - dt.timedelta(days=Period.MONTH.days - 1),
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


def _execute(statement: str, **values: Any) -> Any:
    return db.session.execute(text(statement), values)


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
    deletion = "delete from daily where day = :day"
    if packages is not None:
        deletion += " and package_id in (select id from packages where name = any(:packages))"
    named = None if packages is None else [*packages, ALL_PACKAGES]
    _execute(totals.noting(deletion, "-"), day=day, packages=named)


def _insert_staged(day: dt.date) -> int:
    columns = ", ".join(f"s.{column.strip()}" for column in _COLUMNS.split(","))
    insertion = (
        f"insert into daily (package_id, day, {_COLUMNS})"
        f" select p.id, %s, {columns} from stage s join packages p on p.name = s.package"
    )
    with contextlib.closing(db.session.connection().connection.cursor()) as cursor:
        try:
            cursor.execute(totals.noting(insertion, "+"), (day,))
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
