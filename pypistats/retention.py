"""STORE: old months go, by dropping their tables whole; what they add to the totals stays."""

import datetime as dt

from sqlalchemy import Connection, text

from pypistats import store, totals
from pypistats.extensions import db
from pypistats.partitions import cut_off, drop, next_month, partitions

PURGE_LOCK = 7006
"""The advisory lock that lets one purge at a time drop tables."""


def purge_before(day: dt.date) -> list[str]:
    """Drop the months that ended before `day`; return the names of their tables.

    Works in steps that each commit, since PostgreSQL detaches without blocking readers only
    outside a transaction: the caller's own ends here. A purge that was cut off is finished by
    the next one, whatever its day is. While another one is at work, nothing is dropped.
    """
    db.session.commit()
    with store.held(PURGE_LOCK) as ours:
        if not ours:
            return []
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            dropped = _purge(connection, day)
    if dropped:
        with store.transaction():
            store.take_turn()
            if store.is_recent(day - dt.timedelta(days=1)):
                store.refresh_recent()
            store.bump_revision()
    return dropped


def _purge(connection: Connection, day: dt.date) -> list[str]:
    begun = cut_off(connection)
    for name in begun:
        drop(connection, name)
    old = {
        name: first for name, first in partitions(connection).items() if next_month(first) <= day
    }
    for name, first in old.items():
        with store.transaction():
            store.take_turn()
            totals.fold_month(name, first)
            _forget(next_month(first))
        drop(connection, name)
    with store.transaction():
        _forget(day.replace(day=1))
    return [*begun, *old]


def _forget(until: dt.date) -> None:
    """Take the days before one out of the ledger."""
    db.session.execute(text("delete from ingested_days where day < :until"), {"until": until})
