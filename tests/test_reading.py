"""Reads are sent alone, or see one moment together, and outlive a restart of the database."""

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import Connection, text

from pypistats import queries, store
from pypistats.extensions import db
from pypistats.reading import (
    NoRowError,
    SeveralRowsError,
    execute,
    execute_prepared,
    snapshot,
    stream,
)
from tests.statements import all_connections_are_back, cut_connections

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
    with pytest.raises(psycopg2.Error, match="read-only"), snapshot():
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
    with pytest.raises(psycopg2.Error):
        execute("select 1/0")

    assert execute("show transaction_isolation").scalar() == "read committed"
    assert execute("show transaction_read_only").scalar() == "off"
    assert all_connections_are_back()
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

    with pytest.raises(psycopg2.Error):
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
    with pytest.raises(NoRowError):
        none.one()
    with pytest.raises(SeveralRowsError):
        two.scalar()


def test_queries_work_in_a_snapshot() -> None:
    with snapshot():
        assert queries.revision().latest > 0
        assert queries.data_status().last_day is None


def test_many_rows_are_streamed_of_one_moment(other: Connection) -> None:
    numbers = stream(
        "select n, (select count(*) from packages where name like 'p%')"
        " from generate_series(1, cast(:last as int)) n",
        last=12_000,
    )

    assert next(numbers) == (1, 0)
    add(other, "p1")
    assert [*numbers] == [(n, 0) for n in range(2, 12_001)]
    assert all_connections_are_back()


def test_a_stream_that_is_not_read_to_its_end_gives_its_connection_back() -> None:
    numbers = stream("select n from generate_series(1, 12000) n")

    next(numbers)
    numbers.close()  # type: ignore[attr-defined]

    assert all_connections_are_back()
    assert execute("select count(*) from pg_cursors").scalar() == 0


def test_json_is_read_and_written_statements_are_taken_as_they_are() -> None:
    row = execute(
        "select '{\"a\": [1]}'::json, cast('{\"b\": null}' as jsonb), 7 % 4, :a::text", a="x"
    )

    assert tuple(row.one()) == ({"a": [1]}, {"b": None}, 3, "x")
    assert execute_prepared("select 7 % cast(:b as int), :a::text", a="x", b=4).one() == (3, "x")
