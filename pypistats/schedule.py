"""INGEST: which days are due, worked out from the ledger and the clock alone. No input or output.

A day is never loaded before 03:00 UTC of the next, since its last minutes come late.
"""

import datetime as dt
from collections.abc import Collection

DAYS_A_RUN = 3
"""Days that one run queues at most, so that a long gap is closed a little at a time."""

_DAY = dt.timedelta(days=1)
_OPENS = dt.timedelta(hours=3)


def last_open_day(now: dt.datetime) -> dt.date:
    """Return the newest day that may be loaded by now."""
    return (now - _DAY - _OPENS).date()


def due_days(loaded: Collection[dt.date], now: dt.datetime) -> list[dt.date]:
    """Return the days to load now, the newest first.

    Gaps are closed back to the first loaded day. What lies before was never asked for, and may
    cost money: a backfill loads it.
    """
    last = last_open_day(now)
    first = min([*loaded, last])
    span = (last - n * _DAY for n in range((last - first).days + 1))
    return [day for day in span if day not in loaded][:DAYS_A_RUN]
