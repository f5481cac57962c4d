"""STORE: what is to be fetched on demand, and chores that are due now and then.

A row is what makes many askers one fetch: the one who makes it queues the task. It also outlives
the queue, which may lose a message. What was begun and not finished is due again after a while.
Each statement counts at once, unless the caller's transaction has begun.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from pypistats.reading import execute

ATTEMPTS = 5
"""After so many failures a want is dropped, until someone asks again."""

_LEASE = dt.timedelta(minutes=2)
"""How long a task has from when it is queued, before it is queued again."""

_BACKOFF = dt.timedelta(seconds=15)
"""The wait after the first failure; each further one doubles it."""


class Want(NamedTuple):
    """Something of a package that is to be fetched."""

    what: str
    package: str


def add(wanted: Sequence[Want], *, due_now: bool = False) -> list[Want]:
    """Ask for what is wanted; return what the caller is the one to queue.

    With `due_now` nobody is yet, and `take_due` gives it.
    """
    rows = execute(
        """
        insert into wants (what, package, wanted_at, due_at)
        select what, package, clock_timestamp(), clock_timestamp() + :lease
        from unnest(cast(:whats as text[]), cast(:packages as text[])) as wanted (what, package)
        on conflict (what, package) do update set due_at = excluded.due_at
        where wants.due_at <= clock_timestamp()
        returning what, package
        """,
        lease=dt.timedelta() if due_now else _LEASE,
        whats=[want.what for want in wanted],
        packages=[want.package for want in wanted],
    )
    return [Want(*row) for row in rows]


def take_due(limit: int) -> list[Want]:
    """Return the wants that are due, the oldest first, for the caller to queue."""
    rows = execute(
        """
        update wants set due_at = clock_timestamp() + :lease
        where (what, package) in (
            select what, package from wants where due_at <= clock_timestamp()
            order by wanted_at limit :limit for update skip locked
        )
        returning what, package
        """,
        lease=_LEASE,
        limit=limit,
    )
    return [Want(*row) for row in rows]


def finish(want: Want) -> None:
    """Take `want` away: it has been fetched."""
    execute("delete from wants where what = :what and package = :package", **want._asdict())


def fail(want: Want, error: str, *, until: dt.datetime | None = None) -> None:
    """Note that `want` could not be fetched: it is due again later, and dropped in the end.

    `until` tells that before then no try can go well.
    """
    execute(
        """
        update wants set attempts = attempts + 1, error = :error,
            due_at = greatest(
                clock_timestamp() + :backoff * power(2, attempts), cast(:until as timestamptz)
            )
        where what = :what and package = :package
        """,
        error=error[:500],
        until=until,
        backoff=_BACKOFF,
        **want._asdict(),
    )
    execute(
        "delete from wants where what = :what and package = :package and attempts >= :attempts",
        attempts=ATTEMPTS,
        **want._asdict(),
    )


def begin_chore(name: str, *, again: dt.timedelta) -> bool:
    """Tell whether a chore is due; if so, it is the caller's, and due `again` if that fails."""
    begun = execute(
        """
        insert into chores (name, due_at) values (:name, clock_timestamp() + :again)
        on conflict (name) do update set due_at = excluded.due_at
        where chores.due_at <= clock_timestamp()
        returning true
        """,
        name=name,
        again=again,
    ).scalar()
    return bool(begun)


def finish_chore(name: str, *, every: dt.timedelta) -> None:
    """Note that a chore has been done, and is due again after `every`."""
    execute(
        "update chores set done_at = clock_timestamp(), due_at = clock_timestamp() + :every"
        " where name = :name",
        name=name,
        every=every,
    )
