"""Reads are sent alone, or see one moment together, and outlive a restart of the database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from pypistats import queries, store
from pypistats.extensions import READS, db
from pypistats.reading import execute, snapshot
from tests.statements import cut_connections

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def other() -> Iterator[Connection]:
    """Give a connection of its own."""
    with db.engine.connect() as connection:
        yield connection


def count() -> int:
    return execute("select count(*) from packages where name like 'p%'").scalar()


def add(connection: Connection, name: str) -> None:
    connection.execute(text("insert into packages (name) values (:name)"), {"name": name})
    connection.commit()


def test_each_read_sees_what_is_committed(other: Connection) -> None:
    assert count() == 0
    add(other, "p1")
    assert count() == 1


def test_reads_in_a_snapshot_see_one_moment(other: Connection) -> None:
    with snapshot():
        assert count() == 0
        add(other, "p1")
        assert count() == 0

    assert count() == 1


def test_a_snapshot_can_not_write() -> None:
    with pytest.raises(DBAPIError, match="read-only"), snapshot():
        execute("insert into packages (name) values ('p1')")

    assert count() == 0


def test_a_read_inside_a_transaction_sees_what_it_wrote() -> None:
    with store.transaction():
        db.session.execute(text("insert into packages (name) values ('p1')"))
        assert count() == 1
        db.session.rollback()

    assert count() == 0


def test_no_transaction_and_no_setting_is_left_behind() -> None:
    with snapshot():
        count()
    with pytest.raises(DBAPIError):
        execute("select 1/0")

    assert execute("show transaction_isolation").scalar() == "read committed"
    assert execute("show transaction_read_only").scalar() == "off"
    assert db.engines[READS].pool.checkedout() == 0
    with db.engine.connect() as connection:
        open_since = connection.execute(
            text(
                "select count(*) from pg_stat_activity where pid <> pg_backend_pid()"
                " and application_name = 'pypistats' and xact_start is not null"
            )
        )
        assert open_since.scalar() == 0


def test_a_connection_that_was_cut_is_replaced() -> None:
    count()
    cut_connections()

    assert count() == 0
    cut_connections()
    with snapshot():
        assert count() == 0


def test_a_connection_that_is_cut_in_a_snapshot_is_not_used_again() -> None:
    def read_over_a_cut() -> None:
        with snapshot():
            count()
            cut_connections()
            count()

    with pytest.raises(DBAPIError):
        read_over_a_cut()

    assert count() == 0


def test_values_go_where_their_names_are_and_percents_stay() -> None:
    rows = execute("select cast(:b as text) || '%', cast(:a as int)", a=1, b=":a %(a)s")

    assert [tuple(row) for row in rows] == [(":a %(a)s%", 1)]


def test_rows_tell_how_many_they_are() -> None:
    none, one, two = (execute(f"select n from generate_series(1, {n}) n") for n in range(3))

    assert (none.one_or_none(), none.scalar(), one.scalar(), tuple(one.one())) == (
        None,
        None,
        1,
        (1,),
    )
    with pytest.raises(NoResultFound):
        none.one()
    with pytest.raises(MultipleResultsFound):
        two.scalar()


def test_queries_work_in_a_snapshot() -> None:
    with snapshot():
        assert queries.revision().latest > 0
        assert queries.data_status().last_day is None
