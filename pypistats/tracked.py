"""STORE: the tracked packages, and what a fetch of one of them writes. The caller commits."""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import text

from pypistats import store, totals
from pypistats.catalog import ALL_PACKAGES, PackageDay, Period
from pypistats.extensions import db
from pypistats.partitions import ensure_partition
from pypistats.staging import stage_rows

_COLUMNS = "with_mirrors, without_mirrors, python_minor, system, installer, version"


def replace_package(
    package: str, rows: Iterable[PackageDay], days: Collection[dt.date]
) -> list[dt.date]:
    """Put `rows` in place of what is stored of a package for `days`; return those that changed.

    The package is known afterwards even if there are no rows. The sums over all packages are not
    made anew: `refresh_sums` does that.
    """
    stage_rows(rows)
    store.take_turn()
    for first in sorted({day.replace(day=1) for day in days}):
        ensure_partition(first)
    _execute("insert into packages (name) values (:name) on conflict do nothing", name=package)
    package_id = _execute("select id from packages where name = :name", name=package).scalar()
    values = {"id": package_id, "days": list(days)}
    changed = _execute(
        """
        select coalesce(s.day, d.day) as day from stage s
        full join (select * from daily where package_id = :id and day = any(:days)) d
            on d.day = s.day
        where (s.with_mirrors, s.without_mirrors)
            is distinct from (d.with_mirrors, d.without_mirrors)
        order by 1
        """,
        **values,
    ).scalars()
    changed_days = list(changed)
    _execute("delete from daily where package_id = :id and day = any(:days)", **values)
    _execute(
        f"insert into daily (package_id, day, {_COLUMNS}) select :id, day, {_COLUMNS} from stage",
        id=package_id,
    )
    return changed_days


def refresh_sums(days: Iterable[dt.date]) -> None:
    """Make the sums over all packages anew for `days`, in the ledger as well."""
    for day in days:
        _execute(
            "delete from daily where day = :day"
            " and package_id = (select id from packages where name = :all)",
            day=day,
            all=ALL_PACKAGES,
        )
        downloads = store.add_sum(day, whole=False)
        _execute(
            "update ingested_days set downloads = :downloads,"
            " packages = (select count(*) - 1 from daily where day = :day) where day = :day",
            day=day,
            downloads=downloads,
        )


def refresh_counts(package: str) -> None:
    """Count a package's recent downloads and its total anew, and those of the sum."""
    counted = [package, ALL_PACKAGES]
    newest = store.newest_day() or store.NO_DAY
    _execute(
        """
        update packages p set
            last_day = coalesce(r.last_day, 0), last_week = coalesce(r.last_week, 0),
            last_month = coalesce(r.last_month, 0)
        from packages named left join lateral (
            select sum(without_mirrors) filter (where day = :newest) as last_day,
                sum(without_mirrors) filter (where day > :week) as last_week,
                sum(without_mirrors) as last_month
            from daily where package_id = named.id and day > :month and day <= :newest
        ) r on true
        where p.id = named.id and named.name = any(:counted)
        """,
        newest=newest,
        week=newest - dt.timedelta(days=Period.WEEK.days),
        month=newest - dt.timedelta(days=Period.MONTH.days),
        counted=counted,
    )
    totals.rebuild(counted)


def record_fetch(package: str, until: dt.date, *, empty: bool) -> None:
    """Track a package from now on: it has been fetched up to `until`, and may have been `empty`."""
    _execute(
        """
        insert into tracked_packages (name, fetched_at, until, empty)
        values (:package, clock_timestamp(), :until, :empty)
        on conflict (name) do update set fetched_at = excluded.fetched_at,
            until = excluded.until, empty = excluded.empty
        """,
        package=package,
        until=until,
        empty=empty,
    )


def record_day(day: dt.date, packages: Collection[str]) -> None:
    """Note which tracked packages a day is loaded of, before the ledger has it.

    Those of `packages` that lacked none before it are there up to it. The others lack it from now
    on, unless it was loaded already: then they have been fetched with it.
    """
    values = {"day": day, "packages": list(packages)}
    _execute(
        """
        update tracked_packages set until = greatest(until, :day)
        where name = any(:packages) and until >= coalesce(
            (select max(day) from ingested_days where state <> 'missing' and day < :day), until
        )
        """,
        **values,
    )
    _execute(
        """
        update tracked_packages set until = cast(:day as date) - 1
        where name <> all(:packages) and until >= :day
            and not exists (select from ingested_days where day = :day and state <> 'missing')
        """,
        **values,
    )


def _execute(statement: str, **values: Any) -> Any:
    return db.session.execute(text(statement), values)
