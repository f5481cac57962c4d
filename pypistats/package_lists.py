"""QUERY: several packages: what a search finds, the most downloaded ones, and some to compare."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from pypistats.catalog import ALL_PACKAGES, WITH_MIRRORS, WITHOUT_MIRRORS, Period, Ranking
from pypistats.reading import execute


class FoundPackage(NamedTuple):
    """A package with the figure that search results are ordered by."""

    name: str
    last_month: int


class RankedPlace(NamedTuple):
    """A place on a list; `before` is the downloads in the period before, None if not compared."""

    rank: int
    package: str
    downloads: int
    before: int | None


def top_packages(period: Period, *, limit: int) -> list[RankedPlace]:
    """Return the most downloaded packages of a recent period, the sum over all left out.

    They are read from `packages` itself, so they are as new as it is.
    """
    rows = execute(
        f"select name, last_{period} from packages where name <> :all"
        f" order by last_{period} desc, name limit :limit",
        limit=limit,
        all=ALL_PACKAGES,
    )
    return [
        RankedPlace(rank, name, downloads, None)
        for rank, (name, downloads) in enumerate(rows, start=1)
    ]


def search(prefix: str, *, limit: int, offset: int = 0) -> list[FoundPackage]:
    """Return the packages whose names begin with `prefix`, the most downloaded first.

    A range serves the index as LIKE would, and knows no wildcards: `~` sorts after every
    character of a name.
    """
    rows = execute(
        "select name, last_month from packages where name >= :prefix and name < :prefix || '~'"
        " and name <> :all order by last_month desc, name limit :limit offset :offset",
        prefix=prefix,
        limit=limit,
        offset=offset,
        all=ALL_PACKAGES,
    )
    return [FoundPackage(*row) for row in rows]


def found_among(names: Sequence[str], *, limit: int) -> list[FoundPackage]:
    """Return those of the names that are packages, the most downloaded first.

    The index of names is searched for them all at once. The planner must not see how many they
    are, or it would rather read all packages by popularity.
    """
    rows = execute(
        "with found as materialized ("
        " select name, last_month from packages"
        " where name = any(cast((select cast(:names as text[])) as text[])))"
        " select name, last_month from found order by last_month desc, name limit :limit",
        names=f"{{{','.join(names)}}}",
        limit=limit,
    )
    return [FoundPackage(*row) for row in rows]


class RankingPart(NamedTuple):
    """A part of a list, and its category as the data spells it.

    `until` is the last day of its period. Where there is no such list, it is None, and the category
    is as it was asked for.
    """

    category: str
    until: dt.date | None
    places: list[RankedPlace]


def ranking(
    ranking: Ranking, category: str, period: Period, *, limit: int, offset: int = 0
) -> RankingPart:
    """Return a part of a list of packages; the lists of no dimension have the category ''.

    A category is found in any case; of several that differ in nothing else, the one that is spelled
    as asked, or else the first.
    """
    rows = execute(
        "select r.category, r.until, place + :offset, p.name, each.downloads, each.before from ("
        " select * from rankings"
        " where list = :ranking and lower(category) = lower(:category) and period = :period"
        " order by category <> :category, category limit 1) r"
        " left join lateral unnest(r.package_ids[:first : :last],"
        " r.downloads[:first : :last], r.before[:first : :last])"
        " with ordinality each (id, downloads, before, place) on true"
        " left join packages p on p.id = each.id order by place",
        ranking=ranking,
        category=category,
        period=period,
        offset=offset,
        first=offset + 1,
        last=offset + limit,
    )
    if not rows:
        return RankingPart(category, None, [])
    found, until = rows[0][:2]
    places = [RankedPlace(*place) for _, _, *place in rows if place[0] is not None]
    return RankingPart(found, until, places)


def ranked_categories() -> dict[Ranking, list[str]]:
    """Return the categories that have lists, the largest first."""
    rows = execute(
        "select list, category from rankings where category <> '' and period = :period"
        " order by list, (select sum(each) from unnest(downloads) each) desc, category",
        period=Period.MONTH,
    )
    categories: dict[Ranking, list[str]] = {}
    for name, category in rows:
        categories.setdefault(Ranking(name), []).append(category)
    return categories


def daily_downloads(
    packages: Sequence[str], column: str, *, days: int
) -> dict[str, dict[str, int]]:
    """Return the downloads by ISO date of those of the packages that are known, in their order.

    `column` is `with_mirrors` or `without_mirrors`. Of the newest `days` days, those on which a
    package was downloaded.
    """
    assert column in (WITH_MIRRORS, WITHOUT_MIRRORS)
    rows = execute(
        f"select p.name, d.day::text, d.{column}"
        " from unnest(cast(:packages as text[])) with ordinality asked (name, place)"
        " join packages p on p.name = asked.name"
        " left join daily d on d.package_id = p.id and d.day >"
        " (select max(day) from ingested_days where state <> 'missing') - :days"
        " order by place, d.day",
        packages=list(packages),
        days=days,
    )
    found: dict[str, dict[str, int]] = {}
    for name, day, downloads in rows:
        counts = found.setdefault(name, {})
        if day is not None:
            counts[day] = downloads
    return found
