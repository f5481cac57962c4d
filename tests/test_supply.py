"""A package that is asked for: its whole window is fetched once, and the sums have it."""

import datetime as dt
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from pypistats import ingest, ledger, provision, queries, store, supply, wants
from pypistats.catalog import DayState, PackageDay
from pypistats.extensions import db
from pypistats.sources import BudgetError, SourceError
from pypistats.wants import Want
from tests.fixed_source import DAY, FixedSource, package_day

NOW = dt.datetime.combine(DAY + dt.timedelta(days=1), dt.time(5), dt.UTC)
DAYS = [DAY - dt.timedelta(days=ago) for ago in range(4)]

pytestmark = pytest.mark.usefixtures("app_context")


class CountedSource(FixedSource):
    """Has figures of what is there by day, and counts its fetches."""

    def __init__(self, *rows: PackageDay, figures: dict[dt.date, int] | None = None) -> None:
        super().__init__(*rows)
        self.figures = figures
        self.fetches = 0

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int | None:
        return None if self.figures is None else self.figures.get(since, 0)

    def fetch(self, since, until, packages=None):  # type: ignore[no-untyped-def]
        self.fetches += 1
        return super().fetch(since, until, packages)


def rows_of(package: str, downloads: int = 10) -> list[PackageDay]:
    return [package_day(package, day, downloads=downloads) for day in DAYS]


def fetch(package: str, source: FixedSource, *, now: dt.datetime = NOW) -> int | None:
    return supply.fetch_package(package, lambda: source, days=4, clock=lambda: now)


def want(package: str) -> Want:
    wanted = Want("package", package)
    with store.transaction():
        wants.add([wanted])
    return wanted


def downloads(package: str) -> dict[str, int]:
    return dict(queries.series(package, ("with_mirrors",), days=180))


def test_the_first_package_is_fetched_for_the_whole_window_and_makes_its_days_loaded() -> None:
    want("flask")

    assert fetch("flask", FixedSource(*rows_of("flask"))) == 4

    assert downloads("flask") == {day.isoformat(): 10 for day in DAYS}
    assert downloads("__all__") == downloads("flask")
    assert queries.recent("flask") == queries.Recent(10, 40, 40)
    assert (queries.total("flask"), queries.total("__all__")) == (40, 40)
    states = {row.day: (row.state, row.downloads, row.packages) for row in queries.loaded_days()}
    assert states == {
        DAYS[0]: (DayState.LOADED, 10, 1),
        DAYS[1]: (DayState.LOADED, 10, 1),
        DAYS[2]: (DayState.FINAL, 10, 1),
        DAYS[3]: (DayState.FINAL, 10, 1),
    }
    assert provision.supply("flask")._replace(budget_gone_until=None) == provision.Supply(
        is_stored=True,
        is_fresh=True,
        is_known=None,
        due_at=None,
        error=None,
        budget_gone_until=None,
    )
    assert provision.tracked_names() == ["flask"]


def test_the_next_ones_add_to_the_sums_of_the_same_days() -> None:
    fetch("flask", FixedSource(*rows_of("flask")))
    before = queries.revision()

    fetch("numpy", FixedSource(*rows_of("numpy", 5)[:2]))

    expected = {day.isoformat(): 15 if day in DAYS[:2] else 10 for day in DAYS}
    assert downloads("__all__") == expected
    assert {row.day.isoformat(): row.downloads for row in queries.loaded_days()} == expected
    assert queries.recent("__all__").last_month == 50
    assert queries.total("__all__") == 50
    after = queries.revision(before.latest)
    assert set(after.packages) == {"numpy", "__all__"}


def test_days_that_are_not_loaded_are_left_out() -> None:
    fetch("flask", FixedSource(*rows_of("flask")))
    with store.transaction():
        db.session.execute(
            text("update ingested_days set state = 'missing' where day = :day"), {"day": DAYS[1]}
        )

    later = NOW + dt.timedelta(days=1)
    newer = package_day("numpy", DAY + dt.timedelta(days=1))
    fetch("numpy", FixedSource(*rows_of("numpy"), newer), now=later)

    assert sorted(downloads("numpy")) == sorted(day.isoformat() for day in DAYS if day != DAYS[1])


def test_a_package_that_is_there_is_not_fetched_again() -> None:
    source = CountedSource(*rows_of("flask"))
    fetch("flask", source)
    wanted = want("flask")

    assert fetch("flask", source) is None

    assert source.fetches == 1
    with store.transaction():
        assert wants.add([wanted]) == [wanted]


def test_a_known_package_without_downloads_is_there_and_empty_for_a_day() -> None:
    fetch("flask", FixedSource(*rows_of("flask")))
    source = CountedSource()

    assert fetch("nobody", source) == 0
    assert fetch("nobody", source) is None

    assert source.fetches == 1
    assert queries.recent("nobody") == queries.Recent(0, 0, 0)
    assert downloads("nobody") == {}
    assert provision.tracked_names() == ["flask"]
    with store.transaction():
        db.session.execute(
            text("update tracked_packages set fetched_at = now() - interval '25 hours'")
        )
    assert provision.supply("nobody").is_fresh is False
    assert provision.supply("flask").is_fresh is True


def test_a_correction_replaces_what_was_there() -> None:
    fetch("flask", FixedSource(*rows_of("flask")))
    with store.transaction():
        db.session.execute(text("delete from tracked_packages"))

    fetch("flask", FixedSource(*rows_of("flask", 7)[:3]))

    assert downloads("flask") == {day.isoformat(): 7 for day in DAYS[:3]}
    assert downloads("__all__") == {DAYS[3].isoformat(): 0} | downloads("flask")
    assert (queries.total("flask"), queries.total("__all__")) == (21, 21)


def test_the_window_ends_with_the_newest_day_that_is_complete_at_the_source() -> None:
    figures = {DAY - dt.timedelta(days=ago): size for ago, size in enumerate([0, 300, 1_000])}
    figures |= {DAY - dt.timedelta(days=ago): 900 for ago in range(3, 8)}

    fetch("flask", CountedSource(*rows_of("flask"), figures=figures))

    loaded = queries.loaded_days()
    assert max(row.day for row in loaded) == DAYS[2]
    assert {row.day: row.dry_run_bytes for row in loaded}[DAYS[2]] == 1_000
    assert sorted(downloads("flask")) == [DAYS[3].isoformat(), DAYS[2].isoformat()]


def test_a_source_that_has_nothing_yet_is_an_error() -> None:
    wanted = want("flask")

    with pytest.raises(SourceError, match="the source has nothing for 2026-03-08 to 2026-03-15"):
        fetch("flask", CountedSource(figures={}))

    found = provision.supply("flask")
    assert (found.is_stored, found.error) == (
        False,
        "the source has nothing for 2026-03-08 to 2026-03-15",
    )
    assert found.due_at is not None
    with store.transaction():
        assert wants.add([wanted]) == []


def test_a_source_that_breaks_off_leaves_nothing() -> None:
    want("flask")
    source = FixedSource(*rows_of("flask"), fail_after=2)

    with pytest.raises(SourceError, match="broke off"):
        fetch("flask", source)

    assert queries.loaded_days() == []
    assert provision.supply("flask").error == "the source broke off"
    assert provision.supply("flask").is_stored is False


def test_a_budget_that_is_gone_is_not_tried_before_it_is_there_again() -> None:
    midnight = dt.datetime(2126, 3, 17, tzinfo=dt.UTC)
    want("flask")

    def refused() -> FixedSource:
        raise BudgetError("nothing is left", midnight)

    with pytest.raises(BudgetError):
        supply.fetch_package("flask", refused, days=4, clock=lambda: NOW)

    assert provision.supply("flask").due_at == midnight


def test_a_package_that_another_worker_fetches_is_left_to_it() -> None:
    source = CountedSource(*rows_of("flask"))

    with store.package_lock("flask") as ours:
        assert ours
        assert fetch("flask", source) is None
    assert source.fetches == 0


def test_rows_of_another_package_are_refused() -> None:
    class Careless(FixedSource):
        def fetch(self, since, until, packages=None):  # type: ignore[no-untyped-def]
            return iter(rows_of("numpy"))

    with pytest.raises(SourceError, match="was asked for flask and gave 'numpy'"):
        fetch("flask", Careless())


def test_a_days_load_keeps_tracked_packages_fresh_unless_they_lack_a_day() -> None:
    fetch("flask", FixedSource(*rows_of("flask")))
    fetch("numpy", FixedSource(*rows_of("numpy")))
    days = [DAY + dt.timedelta(days=ahead) for ahead in (1, 2)]

    ingest.ingest_day(days[0], FixedSource(package_day("flask", days[0])), packages=["flask"])
    assert [provision.supply(name).is_fresh for name in ("flask", "numpy")] == [True, False]

    both = ["flask", "numpy"]
    rows = [package_day(name, days[1]) for name in both]
    ingest.ingest_day(days[1], FixedSource(*rows), packages=both)
    assert [provision.supply(name).is_fresh for name in both] == [True, False]

    fetch("numpy", FixedSource(*[package_day("numpy", day) for day in (*DAYS, *days)]))
    assert provision.supply("numpy").is_fresh is True


def lose(day: dt.date) -> None:
    with store.transaction():
        db.session.execute(text("delete from daily where day = :day"), {"day": day})
        db.session.execute(
            text("update ingested_days set state = 'missing' where day = :day"), {"day": day}
        )


def test_a_tracked_package_that_a_late_day_was_loaded_without_is_not_fresh() -> None:
    both = ("flask", "numpy")
    for name in both:
        fetch(name, FixedSource(*rows_of(name)))
    lose(DAYS[2])

    ingest.ingest_day(DAYS[2], FixedSource(package_day("flask", DAYS[2])), packages=["flask"])
    assert [provision.supply(name).is_fresh for name in both] == [True, False]

    assert fetch("numpy", FixedSource(*rows_of("numpy"))) == 4
    ingest.ingest_day(DAYS[2], FixedSource(package_day("flask", DAYS[2])), packages=["flask"])
    assert [provision.supply(name).is_fresh for name in both] == [True, True]
    assert downloads("numpy") == {day.isoformat(): 10 for day in DAYS}


def test_a_day_that_is_loaded_while_a_package_is_fetched_is_fetched_the_next_time() -> None:
    fetch("flask", FixedSource(*rows_of("flask")))
    lose(DAYS[2])

    class Meanwhile(FixedSource):
        def fetch(self, since, until, packages=None):  # type: ignore[no-untyped-def]
            late = FixedSource(package_day("flask", DAYS[2]))
            ingest.ingest_day(DAYS[2], late, packages=["flask"])
            return super().fetch(since, until, packages)

    assert fetch("numpy", Meanwhile(*rows_of("numpy"))) == 3
    assert provision.supply("numpy").is_fresh is False
    assert fetch("numpy", FixedSource(*rows_of("numpy"))) == 4
    assert provision.supply("numpy").is_fresh is True


def test_a_store_of_all_packages_keeps_its_sums_when_one_is_asked_for() -> None:
    for day in DAYS:
        ingest.ingest_day(day, FixedSource(package_day("flask", day), package_day("numpy", day)))
    loaded = {row.day: row.loaded_at for row in queries.loaded_days()}

    fetch("flask", FixedSource(*rows_of("flask")))

    assert downloads("__all__") == {day.isoformat(): 20 for day in DAYS}
    assert {row.day: row.loaded_at for row in queries.loaded_days()} == loaded
    assert queries.total("__all__") == 80
    with store.transaction():
        assert ledger.mark_lost_days() == []
