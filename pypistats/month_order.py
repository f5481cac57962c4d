"""STORE: months that have ended are written anew, in the order of packages.

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

SETTLED = dt.timedelta(days=7)
"""How long after its end a month is taken for one that hardly changes any more."""

ORDERED = "in the order of packages"
"""The comment on a table that was written anew. Days that change later lie at its end."""

SORT_MEMORY = "64MB"

LOCK_MILLISECONDS, LOCK_TRIES, PAUSE_SECONDS = 300, 100, 2.0
"""How long readers may have to wait while the tables are exchanged, and how often that is tried."""


def first_unordered(newest: dt.date) -> str | None:
    """Return the table of the oldest month that is to be written anew; None if there is none.

    `newest` is the last loaded day.
    """
    unordered = db.session.execute(
        text(
            "select relname from pg_class c join pg_inherits i on i.inhrelid = c.oid"
            " where i.inhparent = 'daily'::regclass and not i.inhdetachpending"
            " and obj_description(c.oid, 'pg_class') is distinct from :ordered"
        ),
        {"ordered": ORDERED},
    ).scalars()
    ended = {
        name
        for name, first in partitions(db.session.connection()).items()
        if next_month(first) + SETTLED <= newest
    }
    return min(ended.intersection(unordered), default=None)


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
    _execute(f"comment on table {new} is '{ORDERED}'")
    _execute(f"analyze {new}")


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
