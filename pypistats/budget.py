"""STORE: what queries may cost in a day, and what they have cost.

Its transactions are its own, since what was billed stays so when the caller's work is undone.
"""

import datetime as dt
import logging
from typing import Any

from sqlalchemy import Connection, text

from pypistats.clock import Clock, utc_now
from pypistats.extensions import db
from pypistats.sources import BudgetError, PlannedQuery

logger = logging.getLogger(__name__)

BUDGET_LOCK = 7003
"""The advisory lock under which the day is added up, so that two queries don't take the same."""

PACKAGE_DAY_BYTES = 150_000_000
"""What a package's day is billed, whatever its size, as long as none has been."""

QUERIES_AVERAGED = 20

DAYS_COMPARED = 7

GONE, GONE_FOR_DAYS = "budget-gone", "budget-gone-for-days"
"""Chores whose time tells until when nothing is left for what visitors ask for, and for whole days.

A row of them is what one line a day is logged by.
"""


class DailyBudget:
    """So many bytes may be billed in a UTC day.

    With `hold_back` what the day's own load will cost is left for it, as long as it is to come.
    """

    def __init__(self, limit: int, *, hold_back: bool = False, clock: Clock = utc_now) -> None:
        self._limit = limit
        self._hold_back = hold_back
        self._clock = clock

    def reserve(self, query: PlannedQuery) -> int:
        """Set aside what the query will cost. Raises BudgetError, and logs the first of a day."""
        now = self._clock()
        with db.engine.begin() as connection:
            _execute(connection, "select pg_advisory_xact_lock(:key)", key=BUDGET_LOCK)
            needed = _estimate(connection, query)
            held = _held_back(connection, now) if self._hold_back else 0
            left = self._limit - spent(connection, now) - held
            if needed <= left:
                return _set_aside(connection, query, needed, now)
            first = _note_gone(connection, GONE if self._hold_back else GONE_FOR_DAYS, now)
        message = (
            f"BIGQUERY_DAILY_BUDGET: a query needs {needed:,} bytes, and of {self._limit:,} for"
            f" {now:%Y-%m-%d} (UTC) {max(0, left):,} are left"
        )
        if first:
            logger.error("%s; nothing more is fetched today that needs as much", message)
        raise BudgetError(message, _midnight(now) + dt.timedelta(days=1))

    def settle(self, reserved: int, bytes_billed: int, job_id: str | None) -> None:
        """Put what was billed in the place of what was set aside."""
        with db.engine.begin() as connection:
            _execute(
                connection,
                "update billed_queries set billed = :billed, job_id = :job_id where id = :id",
                billed=bytes_billed,
                job_id=job_id,
                id=reserved,
            )


def spent(connection: Connection, now: dt.datetime) -> int:
    """Return the bytes billed, or set aside, on the UTC day of `now`."""
    return int(
        _execute(
            connection,
            "select coalesce(sum(coalesce(billed, estimated)), 0) from billed_queries"
            " where begun_at >= :midnight",
            midnight=_midnight(now),
        ).scalar()
    )


def package_day_bytes() -> int:
    """Return what a package's day is billed, by the newest queries for packages.

    A dry run can't tell: it does not see that the table is clustered.
    """
    with db.engine.begin() as connection:
        return _package_day_bytes(connection)


def _package_day_bytes(connection: Connection) -> int:
    billed, package_days = _execute(
        connection,
        """
        select sum(billed), sum(days * packages) from (
            select billed, days, packages from billed_queries
            where packages is not null and billed > 0 order by id desc limit :limit
        ) newest
        """,
        limit=QUERIES_AVERAGED,
    ).one()
    return int(billed / package_days) if package_days else PACKAGE_DAY_BYTES


def _estimate(connection: Connection, query: PlannedQuery) -> int:
    if query.packages is None:
        return query.dry_run_bytes
    return _package_day_bytes(connection) * query.packages * query.days


def _held_back(connection: Connection, now: dt.datetime) -> int:
    """Return what the load of yesterday will cost, by the days before; 0 if it has been loaded."""
    yesterday = now.date() - dt.timedelta(days=1)
    loaded, usual = _execute(
        connection,
        """
        select coalesce(bool_or(day = :yesterday and state <> 'missing'), false),
            coalesce(max(bytes_billed), 0)
        from ingested_days where day > :before and state <> 'missing'
        """,
        yesterday=yesterday,
        before=yesterday - dt.timedelta(days=DAYS_COMPARED),
    ).one()
    return 0 if loaded else int(usual)


def _set_aside(connection: Connection, query: PlannedQuery, needed: int, now: dt.datetime) -> int:
    return int(
        _execute(
            connection,
            "insert into billed_queries (begun_at, days, packages, estimated)"
            " values (:now, :days, :packages, :needed) returning id",
            now=now,
            days=query.days,
            packages=query.packages,
            needed=needed,
        ).scalar()
    )


def _note_gone(connection: Connection, chore: str, now: dt.datetime) -> bool:
    """Note that nothing is left until midnight; tell whether that is new."""
    return bool(
        _execute(
            connection,
            """
            insert into chores (name, due_at) values (:name, :midnight)
            on conflict (name) do update set due_at = excluded.due_at
            where chores.due_at <> excluded.due_at
            returning true
            """,
            name=chore,
            midnight=_midnight(now) + dt.timedelta(days=1),
        ).scalar()
    )


def _midnight(now: dt.datetime) -> dt.datetime:
    return dt.datetime.combine(now.date(), dt.time(), dt.UTC)


def _execute(connection: Connection, statement: str, **values: Any) -> Any:
    return connection.execute(text(statement), values)
