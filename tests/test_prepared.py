"""Statements that are sent often are prepared, once for each connection."""

from collections.abc import Iterator

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text

from pypistats import reading, store
from pypistats.extensions import db
from pypistats.reading import execute, execute_prepared, reads, snapshot
from tests.statements import all_connections_are_back, cut_connections

pytestmark = pytest.mark.usefixtures("app_context")


PACKAGES = "select name from packages where name = :name or last_day = cast(:downloads as int)"


def prepares() -> bool:
    return reads().prepares


def prepare_statements(*, on: bool) -> None:
    reads().prepares = on


def prepared_names() -> list[str]:
    return [name for (name,) in execute("select name from pg_prepared_statements order by 1")]


def read_prepared(name: str) -> list[str]:
    rows = execute_prepared(PACKAGES, name=name, downloads=-1)
    return [found for (found,) in rows]


@pytest.fixture
def two_packages(app: Flask) -> Iterator[None]:
    """Store packages, and have a connection that knows no statement yet."""
    with app.app_context():
        reads().replace()
        with db.engine.connect() as connection:
            for name in ("p1", "p'%(x)s"):
                connection.execute(
                    text("insert into packages (name) values (:name)"), {"name": name}
                )
            connection.commit()
    yield
    with app.app_context():
        prepare_statements(on=True)


@pytest.mark.usefixtures("two_packages")
def test_a_prepared_statement_is_planned_once_and_takes_its_values_each_time() -> None:
    assert read_prepared("p1") == ["p1"]
    assert read_prepared("p'%(x)s") == ["p'%(x)s"]
    assert read_prepared("p2") == []
    assert execute_prepared("select 2").scalar() == 2

    first, second = prepared_names()
    assert first != second


@pytest.mark.usefixtures("two_packages")
def test_nothing_is_prepared_where_that_is_off_or_a_transaction_is_open() -> None:
    with snapshot():
        assert read_prepared("p1") == ["p1"]
    with store.transaction():
        db.session.execute(text("update packages set name = 'p3' where name = 'p1'"))
        assert read_prepared("p3") == ["p3"]
        db.session.rollback()
    prepare_statements(on=False)
    assert read_prepared("p1") == ["p1"]

    assert prepared_names() == []


@pytest.mark.usefixtures("two_packages")
def test_a_prepared_statement_outlives_a_cut_connection() -> None:
    assert read_prepared("p1") == ["p1"]
    cut_connections()
    assert read_prepared("p1") == ["p1"]
    assert len(prepared_names()) == 1


@pytest.mark.usefixtures("two_packages")
def test_a_prepared_statement_outlives_a_change_of_a_columns_type() -> None:
    with db.engine.connect() as connection:
        connection.execute(text("create table texts as select cast('a' as varchar(10)) as text"))
        connection.commit()
        try:
            read = [execute_prepared("select text from texts").scalar()]
            connection.execute(text("alter table texts alter column text type varchar(20)"))
            connection.commit()
            read.append(execute_prepared("select text from texts").scalar())
        finally:
            connection.execute(text("drop table texts"))
            connection.commit()

    assert read == ["a", "a"]
    assert prepares()
    assert len(prepared_names()) == 1
    assert all_connections_are_back()


@pytest.mark.usefixtures("two_packages")
def test_what_postgresql_can_not_do_is_raised() -> None:
    with pytest.raises(psycopg2.NotSupportedError):
        execute_prepared("select count(*) from packages for update")

    assert prepares()
    assert all_connections_are_back()


@pytest.mark.usefixtures("two_packages")
def test_a_session_that_knows_no_statement_any_more_ends_preparing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    read_prepared("p1")
    execute("deallocate all")

    assert read_prepared("p1") == ["p1"]
    assert not prepares()
    assert "no statement is prepared any more" in caplog.text


@pytest.mark.usefixtures("two_packages")
def test_a_session_that_another_has_prepared_in_ends_preparing() -> None:
    prepared = reading._prepared(PACKAGES)
    execute(f"prepare {prepared.name} as select 1")

    assert read_prepared("p1") == ["p1"]
    assert not prepares()
    assert all_connections_are_back()
