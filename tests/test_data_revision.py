"""Every change of the data has a number, given in the transaction that makes the change."""

import datetime as dt

import pytest
from sqlalchemy import text

from pypistats import ingest, ledger, queries, retention, store
from pypistats.catalog import ALL_PACKAGES
from pypistats.extensions import db
from pypistats.queries import DataRevision, Revision
from pypistats.sources import SourceError
from tests.fixed_source import DAY, FixedSource, package_day

pytestmark = pytest.mark.usefixtures("app_context")


def bump(packages: list[str] | None = None) -> None:
    with store.transaction():
        store.bump_revision(packages)


def committed() -> DataRevision:
    """Read the revision on another connection, which sees only what is committed."""
    with db.engine.connect() as connection:
        row = connection.execute(
            text("select latest, revision, changed_at from data_revision")
        ).one()
    return DataRevision(row[0], Revision(row[1], row[2]), {}, None)


def test_an_ingest_gives_the_data_its_next_revision() -> None:
    before = queries.revision()

    ingest.ingest_day(DAY, FixedSource(package_day("flask")))

    after = queries.revision()
    assert after.latest == after.whole.number == before.latest + 1
    assert (before.last_day, after.last_day) == (None, DAY)
    assert abs(dt.datetime.now(dt.UTC) - after.whole.changed_at) < dt.timedelta(minutes=1)


def test_a_missing_day_is_not_the_last_one() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask")))

    with store.transaction():
        ledger.record_start(DAY + dt.timedelta(days=1), dt.datetime.now(dt.UTC))

    assert queries.revision().last_day == DAY


def test_an_ingest_that_breaks_leaves_the_revision() -> None:
    before = queries.revision()

    with pytest.raises(SourceError):
        ingest.ingest_day(DAY, FixedSource(package_day("flask"), fail_after=1))

    assert queries.revision() == before


def test_a_revision_is_seen_together_with_its_data() -> None:
    before = committed()

    with store.transaction():
        store.replace_day(DAY, [package_day("flask")])
        store.bump_revision()
        assert committed() == before

    assert committed().latest == before.latest + 1


def test_a_purge_gives_the_data_its_next_revision() -> None:
    ingest.ingest_day(DAY, FixedSource(package_day("flask")))
    before = queries.revision()

    retention.purge_before(DAY + dt.timedelta(days=31))

    assert queries.revision().whole.number == before.latest + 1


def test_a_package_can_change_by_itself() -> None:
    before = queries.revision()

    bump(["flask", ALL_PACKAGES, "flask"])

    after = queries.revision()
    assert (after.latest, after.whole) == (before.latest + 1, before.whole)
    assert {name: change.number for name, change in after.packages.items()} == {
        "flask": after.latest,
        ALL_PACKAGES: after.latest,
    }
    assert after.of(["flask"]).number == after.latest
    assert after.of(["requests"]) == after.of([]) == before.whole
    assert after.of(["requests", "flask"]).number == after.of(None).number == after.latest


def test_only_packages_that_changed_since_are_told() -> None:
    bump(["flask"])
    first = queries.revision()

    bump(["requests"])
    bump(["requests"])

    assert set(queries.revision(first.latest).packages) == {"requests"}
    assert set(queries.revision().packages) == {"flask", "requests"}
    assert queries.revision(queries.revision().latest).packages == {}


def test_a_change_of_all_covers_those_of_single_packages() -> None:
    bump(["flask"])
    own = queries.revision().of(["flask"])

    bump()

    after = queries.revision()
    assert after.packages == {}
    assert after.of(["flask"]).number == own.number + 1


def test_two_changes_at_once_are_numbered_in_the_order_of_their_commits() -> None:
    with db.engine.connect() as other:
        other.execute(text("set local lock_timeout = '100ms'"))
        store.bump_revision(["flask"])

        with pytest.raises(Exception, match="lock timeout"):
            other.execute(text("update data_revision set latest = latest + 1"))

        other.rollback()
    db.session.rollback()


def test_there_is_one_row_and_no_second() -> None:
    with pytest.raises(Exception, match="data_revision_single"):
        db.session.execute(text("insert into data_revision (single) values (false)"))
    db.session.rollback()
