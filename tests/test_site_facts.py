"""The state of the data as a whole is read once for a change of it, and never of another moment."""

import datetime as dt

import pytest
from flask import Flask

from pypistats import ingest, queries, store
from pypistats.catalog import ALL_PACKAGES, Period
from pypistats.series import ComparedDays
from pypistats.views.site_facts import SiteFacts, package_with_facts
from tests.fixed_source import DAY, FixedSource, package_day

NEXT_DAY = DAY + dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(autouse=True)
def loaded(app: Flask) -> None:
    rows = package_day("flask", downloads=5), package_day("more", downloads=9)
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(*rows))


def facts() -> SiteFacts:
    _, found = package_with_facts("flask")
    return found


def bump(*packages: str) -> None:
    with store.transaction():
        store.bump_revision(packages)


def test_they_are_read_again_when_the_sum_has_changed() -> None:
    first = facts()
    assert facts() is first

    bump("flask")
    assert facts() is first

    bump(ALL_PACKAGES)
    second = facts()
    assert second is not first
    assert second == first

    ingest.ingest_day(NEXT_DAY, FixedSource(package_day("flask", NEXT_DAY)))
    assert facts().status.last_day == NEXT_DAY
    assert facts().compared[Period.DAY] == ComparedDays([DAY.isoformat()], 1)


def test_a_change_while_they_are_read_is_in_neither_them_nor_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first_day = queries.first_day

    def interrupted() -> dt.date | None:
        ingest.ingest_day(NEXT_DAY, FixedSource(package_day("flask", NEXT_DAY)))
        return first_day()

    monkeypatch.setattr(queries, "first_day", interrupted)
    package, found = package_with_facts("flask")
    assert (package.days.day, found.status.last_day) == ([DAY.isoformat()], DAY)

    monkeypatch.undo()
    package, found = package_with_facts("flask")
    assert package.days.day == [DAY.isoformat(), NEXT_DAY.isoformat()]
    assert found.status.last_day == NEXT_DAY


def test_packages_are_ranked_by_their_last_month(monkeypatch: pytest.MonkeyPatch) -> None:
    flask, more, everything = (queries.recent(name) for name in ("flask", "more", ALL_PACKAGES))

    assert [facts().rank(recent) for recent in (everything, more, flask)] == [1, 1, 2]
    assert facts().rank(queries.Recent(0, 0, 0)) is None

    monkeypatch.setattr(queries, "RANKS", 1)
    bump(ALL_PACKAGES)
    assert [facts().rank(recent) for recent in (everything, more, flask)] == [1, 1, None]
