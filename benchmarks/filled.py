"""A database with months of days at PyPI's size: `python -m benchmarks.filled FOLDER`.

The newest week is generated and ingested day by day. The weeks before are the same week again,
copied by SQL, without the packages that were not there yet; months are written in the order of
packages, as the site does. All is made without waiting for the disk, and goes on where it was
interrupted.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import click
import flask_migrate
from sqlalchemy import text

from benchmarks.database import Database, database
from benchmarks.package_days import ALL_OF_PYPI, GeneratedSource, day_file, generate, package_name
from pypistats import create_app, ingest, month_order, store, totals
from pypistats.catalog import ALL_PACKAGES
from pypistats.extensions import db
from pypistats.partitions import ensure_partition, partitions

DAY = dt.date(2026, 3, 2)
"""The last day."""

WEEK = 7
YOUNGER = 4_000
"""One in so many packages is new with each day, so that there are 4 % less half a year before."""

_COLUMNS = "with_mirrors, without_mirrors, python_minor, system, installer, version"
_CARELESS = ("fsync = off", "synchronous_commit = off", "full_page_writes = off",
             "max_wal_size = '4GB'", "autovacuum = off")  # fmt: skip


@contextlib.contextmanager
def filled(packages: int, days: int, folder: Path | None = None) -> Iterator[Database]:
    """Run a database with so many days of so many packages for the time.

    `folder` keeps those of all sizes; what it has is not made again. None keeps nothing.
    """
    with database(folder and folder / f"{packages}x{days}") as running:
        ready = running.folder / "ready"
        if not ready.exists():
            click.echo(f"filling {days} days of {packages:,} packages (not measured)")
            _fill(running, packages, days)
            ready.touch()
        _order_months(running)
        yield running


def names(packages: int) -> list[str]:
    """Return the packages of the last day, the most downloaded first."""
    return [package_name(int(n * ALL_OF_PYPI / packages), DAY) for n in range(packages)]


def _fill(running: Database, packages: int, days: int) -> None:
    with _careless(running):
        flask_migrate.upgrade()
        _ingest_week(running.folder, packages, days)
        _repeat_week(days)
        _count()
        months = list(partitions(db.session.connection()))
        db.session.rollback()
        for table in ("packages", *months):
            running.execute(f"vacuum (freeze, analyze) {table}")
        running.execute("analyze daily")


def _order_months(running: Database) -> None:
    """Do what the site does with months of many days, unless it is done."""
    with _careless(running):
        while month := month_order.first_unordered():
            with _told(f"{month} written in the order of packages"):
                month_order.order_month(month)
            running.execute(f"vacuum (freeze, analyze) {month}")


@contextlib.contextmanager
def _careless(running: Database) -> Iterator[None]:
    """Open an app context for writing without waiting for the disk."""
    reload = "select pg_reload_conf()"
    running.execute(*(f"alter system set {setting}" for setting in _CARELESS), reload)
    with create_app({"DATABASE_URL": running.url}).app_context():
        yield
        db.session.rollback()
        db.engine.dispose()
    running.execute("alter system reset all", reload, "checkpoint")


def _ingest_week(folder: Path, packages: int, days: int) -> None:
    for age in reversed(range(min(days, WEEK))):
        day = DAY - dt.timedelta(days=age)
        if day not in _loaded():
            generate(folder, day, packages)
            with _told(f"{day} generated and ingested"):
                ingest.ingest_day(day, GeneratedSource(folder))
            day_file(folder, day).unlink()


def _loaded() -> set[dt.date]:
    days = set(db.session.execute(text("select day from ingested_days")).scalars())
    db.session.rollback()
    return days


def _repeat_week(days: int) -> None:
    """Copy the week into those before, from a table of its own, which only reads what it copies."""
    loaded = _loaded()
    ages = [age for age in range(WEEK, days) if DAY - dt.timedelta(days=age) not in loaded]
    if not ages:
        return
    with store.transaction():
        _execute("drop table if exists week")
        _execute(
            f"create unlogged table week as select package_id, day, {_COLUMNS} from daily"
            " where day > :before",
            before=DAY - dt.timedelta(days=WEEK),
        )
        _execute("create index on week (day)")
        _execute("analyze week")
    for age in ages:
        day = DAY - dt.timedelta(days=age)
        with _told(f"{day} copied"), store.transaction():
            _copy_day(day, age)
    with store.transaction():
        _execute("drop table week")


def _copy_day(day: dt.date, age: int) -> None:
    ensure_partition(day)
    values = {"day": day, "copied": DAY - dt.timedelta(days=age % WEEK)}
    _execute(
        f"""
        insert into daily (package_id, day, {_COLUMNS})
        select package_id, :day, {_COLUMNS} from week
        where day = :copied and (
            package_id % :younger >= :age
            or package_id = (select id from packages where name = :all)
        )
        """,
        **values, age=age, younger=YOUNGER, all=ALL_PACKAGES,
    )  # fmt: skip
    _execute(
        """
        insert into ingested_days (day, state, source, packages, downloads, loaded_at, changed_at)
        select :day, state, source, packages, downloads, loaded_at, changed_at
        from ingested_days where day = :copied
        """,
        **values,
    )


def _count() -> None:
    with _told("recent and total downloads counted"), store.transaction():
        store.refresh_recent()
        totals.rebuild()
        store.bump_revision()


def _execute(statement: str, **values: object) -> "db.engine.Result":
    return db.session.execute(text(statement), values)


@contextlib.contextmanager
def _told(done: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    click.echo(f"  {done} in {time.perf_counter() - begin:.1f} s")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--packages", type=click.IntRange(1, ALL_OF_PYPI), default=6_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 365), default=180, show_default=True)
def main(folder: Path, packages: int, days: int) -> None:
    """Fill a database in FOLDER, which may hold others, for later measurements."""
    with filled(packages, days, folder):
        click.echo(f"{folder} has {days} days of {packages:,} packages")


if __name__ == "__main__":
    main()
