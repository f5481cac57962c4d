"""STORE: the downloads of each package since the first loaded day, in `packages.total`.

A total is the sum of the package's months in `monthly`, into which purged days were folded, and
of its days in `daily` that were not. Every load changes it by what the day has changed, so that
no load has to add up all days.
"""

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import text

from pypistats.catalog import ALL_PACKAGES
from pypistats.extensions import db

_NET = "(select package_id, sum(downloads) as downloads from change group by package_id)"

CHANGE = f"left join {_NET} c on c.package_id = p.id"
"""What joins the noted change to `packages p`."""

_NOT_FOLDED = "not exists (select from purged_days f where f.day = d.day)"
"""Whether a day in `daily d` still counts. One that was purged and loaded again counts already."""


def begin_change() -> None:
    """Make the table of this transaction in which changes of totals are noted."""
    _execute("create temp table change (package_id int, downloads bigint) on commit drop")


def noting(statement: str, sign: str) -> str:
    """Return a statement that changes `daily`, and notes what it takes or gives: `-` or `+`."""
    return f"""
        with changed as ({statement} returning package_id, without_mirrors)
        insert into change select package_id, {sign} without_mirrors from changed
        """


def end_change(day: dt.date) -> None:
    """Add the sum to what was noted for a day; forget all of it if the day counts already."""
    values = {"day": day, "all": ALL_PACKAGES}
    everything = "package_id = (select id from packages where name = :all)"
    folded = "exists (select from purged_days where day = :day)"
    _execute(f"delete from change where {folded} or {everything}", **values)
    _execute(
        """
        insert into change select id, (select coalesce(sum(downloads), 0) from change)
        from packages where name = :all
        """,
        **values,
    )
    _execute("analyze change")


def add_change() -> None:
    """Add what was noted to the totals."""
    _execute(
        f"""
        update packages p set total = p.total + c.downloads
        from {_NET} c where c.package_id = p.id and c.downloads <> 0
        """
    )


def agree() -> bool:
    """Tell whether the total over all packages is the sum of its days.

    It is not when rows were taken out of the store by hand.
    """
    found: bool = _execute(
        f"""
        select p.total = (select coalesce(sum(downloads), 0) from monthly where package_id = p.id)
            + (select coalesce(sum(without_mirrors), 0) from daily d
                where d.package_id = p.id and {_NOT_FOLDED})
        from packages p where p.name = :all
        """,
        all=ALL_PACKAGES,
    ).scalar()
    return found


def rebuild(packages: Collection[str] | None = None) -> None:
    """Count the totals of `packages` from scratch; None means all, and reads every row there is."""
    of_these = "true" if packages is None else "p.name = any(:packages)"
    _execute(
        f"""
        with chosen as (
            select id from packages p where {of_these}
        ), counted as (
            select package_id, sum(downloads) as downloads
            from (
                select package_id, downloads from monthly
                where package_id in (select id from chosen)
                union all
                select package_id, without_mirrors from daily d
                where package_id in (select id from chosen) and {_NOT_FOLDED}
            ) each group by package_id
        ), wanted as (
            select p.id, coalesce(c.downloads, 0) as total
            from chosen p left join counted c on c.package_id = p.id
        )
        update packages p set total = w.total from wanted w where w.id = p.id and p.total <> w.total
        """,
        packages=None if packages is None else list(packages),
    )


def fold_month(name: str, first: dt.date) -> None:
    """Add up a month's table in `monthly`, and let the ledger forget its days. It can be repeated.

    The days are kept in `purged_days`, so that they never count again.
    """
    _execute(
        f"""
        insert into monthly as m (package_id, month, downloads)
        select package_id, :first, sum(without_mirrors) from {name} d where {_NOT_FOLDED}
        group by package_id
        on conflict (package_id, month) do update set downloads = m.downloads + excluded.downloads
        """,
        first=first,
    )
    _execute(
        f"""
        insert into purged_days (day)
        select day from {name} where package_id = (select id from packages where name = :all)
        on conflict do nothing
        """,
        all=ALL_PACKAGES,
    )


def _execute(statement: str, **values: Any) -> Any:
    return db.session.execute(text(statement), values)
