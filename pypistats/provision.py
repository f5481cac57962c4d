"""QUERY: what there is of a package, what is under way for it, and what that has cost.

What is answered is read in `queries`; this is what decides whether something is fetched first.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from pypistats.reading import execute

EMPTY_HOURS = 24
"""How long a package that had no downloads is taken to have none."""


class Supply(NamedTuple):
    """What there is of a package where only some are tracked, and what is under way for it.

    It is fresh when it has all loaded days. `is_known` tells if PyPI knows it, None while its
    names are not loaded. `due_at` is set while it is being fetched, or after that has failed with
    `error`: then the next try is at that time.
    """

    is_stored: bool
    is_fresh: bool
    is_known: bool | None
    due_at: dt.datetime | None
    error: str | None
    budget_gone_until: dt.datetime | None


class Spending(NamedTuple):
    """Bytes billed today, and until when the budget is gone; None while it is not."""

    today: int
    gone_until: dt.datetime | None


def info_checked_at(package: str) -> dt.datetime | None:
    """Return when PyPI was last asked about a package; None if it never was."""
    checked_at: dt.datetime | None = execute(
        "select checked_at from package_info where package = :package", package=package
    ).scalar()
    return checked_at


def info_due(packages: Sequence[str], *, older_than: dt.timedelta) -> list[str]:
    """Return those of the packages that the store has, and PyPI was not asked about for so long."""
    rows = execute(
        """
        select name from packages where name = any(:packages) and not exists (
            select from package_info where package = name and checked_at > now() - :older_than
        )
        order by name
        """,
        packages=list(packages),
        older_than=older_than,
    )
    return [name for (name,) in rows]


def supply(package: str) -> Supply:
    """Return what there is of a package, and what is under way for it, in one statement."""
    row = execute(
        f"""
        select
            exists (select from packages where name = :package),
            t.until >= newest.day
                and not (t.empty and t.fetched_at < now() - interval '{EMPTY_HOURS} hours'),
            exists (select from known_names where name = :package),
            exists (select from known_names),
            w.due_at, w.error,
            (select due_at from chores where name = 'budget-gone' and due_at > now())
        from (
            select max(day) as day from ingested_days where state <> 'missing'
        ) newest
        left join tracked_packages t on t.name = :package
        left join wants w on w.what = 'package' and w.package = :package
        """,
        package=package,
    ).one()
    stored, fresh, known, names_loaded, due_at, error, budget_gone_until = row
    return Supply(
        is_stored=stored,
        is_fresh=bool(fresh),
        is_known=known if names_loaded else None,
        due_at=due_at,
        error=error,
        budget_gone_until=budget_gone_until,
    )


def tracked_names() -> list[str]:
    """Return the tracked packages that a day's load is about, in order."""
    rows = execute(
        "select name from tracked_packages where fetched_at is not null and not empty order by name"
    )
    return [name for (name,) in rows]


def never_fetched(listed: Sequence[str], *, limit: int) -> list[str]:
    """Return some of the `listed` packages that were never fetched, in order."""
    rows = execute(
        """
        select name from unnest(cast(:listed as text[])) as listed (name)
        where not exists (select from tracked_packages t where t.name = listed.name)
        order by name limit :limit
        """,
        listed=list(listed),
        limit=limit,
    )
    return [name for (name,) in rows]


def spending() -> Spending:
    """Return the bytes billed, or set aside, today (UTC), and until when nothing more may be."""
    row = execute(
        """
        select coalesce(sum(coalesce(billed, estimated)), 0),
            (select max(due_at) from chores where name like 'budget-gone%' and due_at > now())
        from billed_queries where begun_at >= date_trunc('day', now(), 'UTC')
        """
    ).one()
    return Spending(int(row[0]), row[1])
