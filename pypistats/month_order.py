"""STORE: months are written anew in the order of packages, as their days come.

Days are loaded one after the other, so the thirty days of a package lie in thirty places. In the
order of packages they lie in one to three, and a series is read in less than half the time.
"""

import datetime as dt
import time

from psycopg2.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from pypistats import store
from pypistats.extensions import db
from pypistats.partitions import attach, next_month, partitions
from pypistats.rankings import RANKINGS_LOCK
from pypistats.retention import PURGE_LOCK

SCATTERED_DAYS = 14
"""So many new days have a month written anew: twice until it ends, and in a backfill as well."""

SORT_MEMORY = "64MB"

LOCK_MILLISECONDS, LOCK_TRIES, PAUSE_SECONDS = 300, 100, 2.0
"""How long readers may have to wait while the tables are exchanged, and how often that is tried."""

_LOADED_DAYS = (
    "select to_char(day, '\"daily_\"YYYY_MM') as name, count(*) as days from ingested_days"
    " where state <> 'missing' group by 1"
)
"""How many days are loaded of each month, by its table."""


def first_unordered() -> str | None:
    """Return the table of the oldest month that is to be written anew; None if there is none.

    A table's comment begins with the number of its days that were loaded before it was written.
    """
    name: str | None = db.session.execute(
        text(
            f"select relname from ({_LOADED_DAYS}) loaded"
            " join pg_class c on c.relname = loaded.name join pg_inherits i on i.inhrelid = c.oid"
            " where i.inhparent = 'daily'::regclass and not i.inhdetachpending"
            " and days - :scattered >="
            " coalesce(substring(obj_description(c.oid, 'pg_class') from '^[0-9]+')::int, 0)"
            " order by relname limit 1"
        ),
        {"scattered": SCATTERED_DAYS},
    ).scalar()
    return name


def order_month(name: str) -> bool:
    """Write a month's table anew; return whether it was done. No load goes on meanwhile.

    While months are purged or lists made, nothing is done: whoever reads with a snapshot from
    before the exchange would find the new table empty. Readers wait only for the exchange of the
    tables. It gives way to them, and raises OperationalError if they never let it in.
    """
    with store.transaction():
        if not all(_try_lock(key) for key in (PURGE_LOCK, RANKINGS_LOCK)):
            return False
        store.take_turn()
        first = partitions(db.session.connection()).get(name)
        if first is None:
            return False
        _write_ordered(name, first)
        _exchange(name, first)
    return True


def _try_lock(key: int) -> bool:
    locked = text("select pg_try_advisory_xact_lock(:key)")
    return bool(db.session.execute(locked, {"key": key}).scalar())


def _write_ordered(name: str, first: dt.date) -> None:
    """Make the table; the check tells PostgreSQL that it need not look at the rows again."""
    new = f"{name}_ordered"
    _execute(f"set local work_mem = '{SORT_MEMORY}'")
    _execute(f"create table {new} (like daily including all excluding indexes)")
    _execute(f"insert into {new} select * from {name} order by package_id, day")
    _execute(f"alter table {new} add primary key (package_id, day)")
    _execute(
        f"alter table {new} add constraint {new}_days"
        f" check (day >= '{first}' and day < '{next_month(first)}')"
    )
    _execute(f"comment on table {new} is '{_loaded_days(name)} days in the order of packages'")
    _execute(f"analyze {new}")


def _loaded_days(name: str) -> int:
    loaded = text(f"select days from ({_LOADED_DAYS}) loaded where name = :name")
    return db.session.execute(loaded, {"name": name}).scalar() or 0


def _exchange(name: str, first: dt.date) -> None:
    """Put the new table in the old one's place, as soon as no reader is in the way."""
    new = f"{name}_ordered"
    _execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")
    _detach(name)
    _execute(f"drop table {name}")
    _execute(f"alter table {new} rename to {name}")
    _execute(f"alter index {new}_pkey rename to {name}_pkey")
    attach(name, first)
    _execute(f"alter table {name} drop constraint {new}_days")


def _detach(name: str) -> None:
    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            with db.session.begin_nested():
                _execute(f"alter table daily detach partition {name}")
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable) or not tries_left:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _execute(statement: str) -> None:
    db.session.execute(text(statement))
