"""STORE: the lists of the most downloaded packages, made anew after the data has changed.

That takes seconds, so many days that are loaded one after the other share it. A list is one row
with arrays: all of them together are a few hundred rows, and a request reads one.

Reading the maps of all packages would take minutes. By category, only the packages that are most
downloaded in all are looked at: another one is hardly among the first thousand of a category.
"""

import datetime as dt
import logging
from typing import Any

from sqlalchemy import text

from pypistats import store
from pypistats.catalog import ALL_PACKAGES, RANKED_DIMENSIONS, RANKINGS, Period, Ranking
from pypistats.extensions import db

logger = logging.getLogger(__name__)

RANKINGS_LOCK = 7005
"""The advisory lock that lets one process at a time make the lists."""

PLACES = 1_000
CANDIDATES = 10_000
"""How many packages, the most downloaded, are looked at for the lists by category and of growth."""

CATEGORIES = 15
"""How many categories of a dimension have lists, the largest."""

POPULAR = 1_000
"""From so many downloads a day on a package counts as popular, and can be on a list of growth."""


def refresh() -> bool:
    """Make all lists anew, unless they are as new as the data; return whether they were made.

    They are of one state of the data, and loaders go on meanwhile. While another process makes
    them, that is left to it.
    """
    with store.transaction(isolation="REPEATABLE READ"):
        revision = _take_outdated()
        if revision is None:
            return False
        newest = store.newest_day()
        _execute("delete from rankings")
        if newest is not None:
            _make(newest)
    with store.transaction():
        _execute("update data_revision set ranked = :revision", revision=revision)
        store.bump_revision([RANKINGS])
    logger.info("the lists are made up to %s", newest)
    return True


def _take_outdated() -> int | None:
    """Return the data's revision if the lists are of another one and no one else makes them.

    It is that of the sum over all packages, which changes by itself when a package is fetched.
    """
    if not _execute("select pg_try_advisory_xact_lock(:key)", key=RANKINGS_LOCK).scalar():
        return None
    revision: int | None = _execute(
        """
        select greatest(whole.revision, fetched.revision) from data_revision whole
        left join package_revisions fetched on fetched.package = :all
        where ranked <> greatest(whole.revision, fetched.revision)
        """,
        all=ALL_PACKAGES,
    ).scalar()
    return revision


def _make(newest: dt.date) -> None:
    _execute(
        "create temp table candidates on commit drop as select id from packages"
        " where name <> :all and last_month > 0 order by last_month desc, name limit :candidates",
        all=ALL_PACKAGES,
        candidates=CANDIDATES,
    )
    _execute("analyze candidates")
    _count_categories(newest)
    for period in Period:
        _rank_all(period, newest)
        _rank_categories(period, newest)
        _rank_growth(period, newest)


def _count_categories(newest: dt.date) -> None:
    """Count each candidate's downloads by category, of the largest categories of each dimension.

    The rows of the candidates are taken first: the planner would read the maps of all packages.
    """
    maps = " union all ".join(
        f"select '{dimension}' as dimension, key as category, value::bigint as downloads"
        f" from json_each_text(d.{dimension})"
        for dimension in RANKED_DIMENSIONS
    )
    recent = ", ".join(
        f"coalesce(sum(downloads) filter (where day > cast(:newest as date) - {period.days}), 0)"
        f"::bigint as last_{period}"
        for period in Period
    )
    _execute(
        f"""
        create temp table counted on commit drop as
        with largest as (
            select dimension, category from (
                select dimension, category,
                    row_number() over (partition by dimension order by sum(downloads) desc) as place
                from daily d cross join lateral ({maps}) m
                where d.package_id = (select id from packages where name = :all)
                and d.day > :month and d.day <= :newest
                group by dimension, category
            ) each where place <= :categories
        ), d as materialized (
            select package_id, day, {", ".join(RANKED_DIMENSIONS)}
            from candidates c
            join daily on package_id = c.id and day > :month and day <= :newest
        )
        select package_id, dimension, category, {recent}
        from d cross join lateral ({maps}) m join largest using (dimension, category)
        group by package_id, dimension, category
        """,
        all=ALL_PACKAGES,
        newest=newest,
        month=newest - dt.timedelta(days=Period.MONTH.days),
        categories=CATEGORIES,
    )


def _rank_all(period: Period, newest: dt.date) -> None:
    _rank(
        period,
        newest,
        f"select '{Ranking.ALL}' as list, '' as category, id as package_id,"
        f" last_{period} as downloads, null::bigint as before, last_{period} as score"
        f" from packages where name <> :all order by last_{period} desc, name limit :places",
        all=ALL_PACKAGES,
    )


def _rank_categories(period: Period, newest: dt.date) -> None:
    _rank(
        period,
        newest,
        "select dimension as list, category, package_id,"
        f" last_{period} as downloads, null::bigint as before, last_{period} as score"
        " from counted",
    )


def _rank_growth(period: Period, newest: dt.date) -> None:
    """Compare a period with the one before it, where half of the days of both are loaded.

    `before` is what that one's daily mean makes in as many days as the period has loaded.
    """
    _rank(
        period,
        newest,
        f"""
        with loaded as (
            select count(*) filter (where day > :middle) as now,
                count(*) filter (where day <= :middle) as before
            from ingested_days
            where state <> 'missing' and day > :start and day <= :newest
        )
        select case when before < :popular then '{Ranking.NEW}' else '{Ranking.GROWING}' end
                as list,
            '' as category, package_id, downloads, before,
            case when before < :popular then downloads else downloads::float8 / before end as score
        from (
            select c.id as package_id, c.downloads,
                round(coalesce(sum(d.without_mirrors), 0) * l.now / l.before)::bigint as before
            from loaded l cross join (
                select id, last_{period} as downloads from packages
                where name <> :all and last_{period} >= :popular
                order by last_{period} desc, name limit :candidates
            ) c
            left join daily d on d.package_id = c.id and d.day > :start and d.day <= :middle
            where 2 * least(l.now, l.before) >= :days
            group by c.id, c.downloads, l.now, l.before
        ) compared
        where downloads > before
        """,
        all=ALL_PACKAGES,
        popular=POPULAR * period.days,
        candidates=CANDIDATES,
        start=newest - dt.timedelta(days=2 * period.days),
        middle=newest - dt.timedelta(days=period.days),
        days=period.days,
    )


def _rank(period: Period, newest: dt.date, scored: str, **values: Any) -> None:
    """Store the lists of a statement that gives each package of each list its score."""
    _execute(
        f"""
        insert into rankings (list, category, period, until, package_ids, downloads, before)
        select list, category, :period, :newest, array_agg(package_id order by place),
            array_agg(downloads order by place), array_agg(before order by place)
        from (
            select scored.*, row_number() over (
                partition by list, category order by score desc, name) as place
            from ({scored}) scored join packages p on p.id = package_id
            where downloads > 0
        ) ranked
        where place <= :places group by list, category
        """,
        period=period,
        newest=newest,
        places=PLACES,
        **values,
    )


def _execute(statement: str, **values: Any) -> Any:
    return db.session.execute(text(statement), values)
