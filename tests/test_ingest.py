"""A day goes in whole or not at all, and twice is the same as once."""

import datetime as dt
from collections.abc import Iterable

import psycopg2
import pytest

from pypistats import ingest, queries
from pypistats.catalog import (
    ALL_PACKAGES,
    CATEGORIES_KEPT,
    DayState,
    LedgerDay,
    PackageDay,
)
from pypistats.sources import SourceError
from tests.fixed_source import DAY, FixedSource, package_day

pytestmark = pytest.mark.usefixtures("app_context")

NEXT_DAY = DAY + dt.timedelta(days=1)


def stored(day: dt.date = DAY) -> list[PackageDay]:
    return list(queries.stored_days(day, day))


def the_sum(day: dt.date = DAY) -> tuple[object, ...]:
    """Return what is stored for all packages together, without the date."""
    for date, *counts in queries.series(ALL_PACKAGES, queries.DAY_COLUMNS, days=10_000):
        if date == day.isoformat():
            return tuple(counts)
    return ()


def ledger() -> list[LedgerDay]:
    """Return what the ledger holds, but for the times and for what all fetches were billed."""
    times = dict.fromkeys(("loaded_at", "changed_at", "tried_at", "bytes_billed"))
    return [row._replace(**times) for row in queries.loaded_days()]


def test_a_day_is_stored_as_the_source_gives_it() -> None:
    rows = [
        package_day("flask", mirrored=3, python_minor={"3.12": 4, "null": 1}),
        package_day("requests", system={"Linux": 7, "other": 2}, version={"2.0": 9}),
    ]

    assert ingest.ingest_day(DAY, FixedSource(*reversed(rows))) == 2

    assert stored() == rows


def test_a_second_run_replaces_the_first() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask"), package_day("requests")))

    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=4)))

    assert stored() == [package_day("flask", downloads=4)]
    assert the_sum()[:2] == (4, 4)


def test_twice_is_the_same_as_once() -> None:
    source = FixedSource(package_day("flask"), package_day("requests", mirrored=2))
    ingest.ingest_day(DAY, source)
    once = stored(), the_sum(), queries.recent("flask"), ledger()

    ingest.ingest_day(DAY, source)

    assert (stored(), the_sum(), queries.recent("flask"), ledger()) == once


def test_a_source_that_breaks_midway_leaves_the_stored_day() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=5)))
    before = stored(), the_sum(), queries.ledger()

    with pytest.raises(SourceError, match="broke off"):
        ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=9), fail_after=1))

    assert (stored(), the_sum(), queries.ledger()) == before


def test_a_source_that_breaks_midway_leaves_a_missing_day_missing() -> None:
    with pytest.raises(SourceError):
        ingest.ingest_day(DAY, FixedSource(package_day("flask"), fail_after=1))

    assert stored() == []
    assert queries.ledger() == {}
    with pytest.raises(queries.PackageNotFoundError):
        queries.recent("flask")


def test_a_day_without_rows_is_refused() -> None:
    with pytest.raises(ingest.EmptyDayError, match=f"no downloads for {DAY}"):
        ingest.ingest_day(DAY, FixedSource())

    assert queries.ledger() == {}


def test_a_row_of_another_day_is_refused() -> None:
    class Wrong(FixedSource):
        def fetch(self, *_: object) -> Iterable[PackageDay]:
            return iter(self.rows)

    with pytest.raises(SourceError, match=f"asked for {DAY} and gave flask on {NEXT_DAY}"):
        ingest.ingest_day(DAY, Wrong(package_day("flask", NEXT_DAY)))


@pytest.mark.parametrize(
    "name", ["Flask", "zope.interface", "__all__", "a\tb", "x" * 129, "", "-a"]
)
def test_a_name_that_is_not_normal_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match="no normal package name"):
        ingest.ingest_day(DAY, FixedSource(package_day(name)))


def test_a_package_that_comes_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="a package twice"):
        ingest.ingest_day(DAY, FixedSource(package_day("flask"), package_day("flask")))

    assert queries.ledger() == {}


def test_the_ledger_tells_what_was_loaded() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask", mirrored=3), package_day("requests")))

    (row,) = queries.loaded_days()
    now = row.loaded_at
    assert row == LedgerDay(
        DAY, DayState.LOADED, "fixed", packages=2, downloads=23, dry_run_bytes=2_000,
        bytes_billed=1_000, job_id="job-1", loaded_at=now, changed_at=now, tried_at=now,
    )  # fmt: skip
    assert abs(dt.datetime.now(dt.UTC) - row.loaded_at) < dt.timedelta(minutes=1)


def test_the_ledger_adds_up_what_the_fetches_of_a_day_were_billed() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask")))
    ingest.ingest_day(DAY, FixedSource(package_day("flask")))

    assert queries.ledger()[DAY].bytes_billed == 2_000


def test_all_packages_is_the_sum_of_each_map_but_the_versions() -> None:
    ingest.ingest_day(
        DAY,
        FixedSource(
            package_day("flask", python_minor={"3.12": 4, "3.9": 1}, mirrored=2),
            package_day("requests", python_minor={"3.12": 2}, system={"Windows": 2}),
        ),
    )

    assert the_sum() == (
        9,
        7,
        {"3.12": 6, "3.9": 1},
        {"Linux": 5, "Windows": 2},
        {"pip": 7, "bandersnatch": 2},
        {},
    )


def test_the_sum_keeps_the_largest_categories() -> None:
    rows = [
        package_day(f"package-{n:03}", downloads=1000 - n, installer={f"bot-{n:03}": 1000 - n})
        for n in range(CATEGORIES_KEPT + 2)
    ]

    ingest.ingest_day(DAY, FixedSource(*rows))

    installer = the_sum()[4]
    assert len(installer) == CATEGORIES_KEPT + 1
    assert installer["other"] == 900 + 899
    assert installer["bot-099"] == 901


def test_text_that_only_copy_and_json_mind_survives() -> None:
    odd = {'quo"te': 1, "back\\slash": 2, "tab\tnew\nline": 3, "ünï\u2028": 4, "\\N": 5, "\\.": 6}

    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=21, installer=odd)))

    assert stored()[0].installer == odd


def test_a_nul_in_free_text_is_replaced_since_postgresql_has_none() -> None:
    odd = {"a\0b": 1, "a\ufffdb": 2, "\\u0000": 4}

    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=7, installer=odd)))

    assert stored()[0].installer == {"a\ufffdb": 3, "\\u0000": 4}


def test_recent_ends_with_the_last_loaded_day() -> None:
    for offset, downloads in ((0, 1), (6, 10), (7, 100), (29, 1_000), (30, 10_000)):
        day = DAY - dt.timedelta(days=offset)
        ingest.ingest_day(day, FixedSource(package_day("flask", day, downloads=downloads)))

    assert queries.recent("flask") == (1, 11, 1_111)
    assert queries.recent(ALL_PACKAGES) == (1, 11, 1_111)


def test_recent_leaves_mirrors_out() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=5, mirrored=7)))

    assert queries.recent("flask") == (5, 5, 5)


def test_a_package_without_downloads_on_the_newest_day_has_none_in_its_last_day() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=5)))
    ingest.ingest_day(NEXT_DAY, FixedSource(package_day("requests", NEXT_DAY)))

    assert queries.recent("flask") == (0, 5, 5)


def test_an_older_day_loaded_late_changes_recent_but_not_its_end() -> None:
    ingest.ingest_day(NEXT_DAY, FixedSource(package_day("flask", NEXT_DAY, downloads=5)))
    ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=3)))

    assert queries.recent("flask") == (5, 8, 8)


def test_loading_some_packages_leaves_the_others() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask"), package_day("requests", mirrored=1)))

    count = ingest.ingest_day(
        DAY,
        FixedSource(package_day("flask", downloads=3), package_day("other-one")),
        packages=["flask"],
    )

    assert count == 2
    assert stored() == [package_day("flask", downloads=3), package_day("requests", mirrored=1)]
    assert the_sum()[:2] == (14, 13)
    assert queries.recent(ALL_PACKAGES) == (13, 13, 13)
    assert queries.ledger()[DAY][2:5] == ("fixed", 2, 14)


def test_loading_a_package_that_had_no_downloads_removes_what_was_stored() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask"), package_day("requests")))

    ingest.ingest_day(DAY, FixedSource(), packages=["flask"])

    assert stored() == [package_day("requests")]
    assert the_sum()[:2] == (10, 10)


def test_a_database_error_is_not_taken_for_the_sources() -> None:
    huge = package_day("flask")._replace(with_mirrors=2**70)

    with pytest.raises(psycopg2.errors.NumericValueOutOfRange):
        ingest.ingest_day(DAY, FixedSource(huge))


def test_progress_is_reported_while_rows_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "ROWS_A_REPORT", 2)
    told: list[int] = []
    rows = [package_day(name) for name in ("a", "b", "c", "d", "e")]

    ingest.ingest_day(DAY, FixedSource(*rows), report=told.append)

    assert told == [2, 4]
