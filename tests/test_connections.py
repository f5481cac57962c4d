"""No wait for the database is without a bound: slow statements, and connections that halt."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text

from pypistats import create_app, create_site
from pypistats.connections import CONNECTING, STATEMENT_SECONDS, NoAnswerError, NoConnectionError
from pypistats.extensions import db
from pypistats.reading import execute, reads, snapshot
from tests.pipeline_processes import until
from tests.statements import all_connections_are_back

SLOW = "select pg_sleep(600)"
ROOM = 2**16
"""The bytes that the far end of a line takes before they are read."""


class Line:
    """Stands between an app and PostgreSQL, and can come to a halt."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        self.port: int = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._halted: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def halt(self) -> None:
        """Take nothing more from what is connected: soon the kernels only say that nothing fits.

        What gets no answer at all ends by the same setting, but only root can do that to a line.
        """
        self._halted.update(self._ends)

    def close(self) -> None:
        self._listening.close()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here = self._listening.accept()[0]
                there = socket.create_connection(self._server)
                self._ends += [here, there]
                for ends in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if source in self._halted:
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(app: Flask) -> Iterator[Line]:
    host, port = re.findall(r"@([^:/]+):(\d+)/", app.config["DATABASE_URL"])[0]
    with contextlib.closing(Line(host, int(port))) as line:
        yield line


@pytest.fixture
def far_site(app: Flask, line: Line) -> Flask:
    """Give a web process's app that reaches its database by the line."""
    url = re.sub(r":\d+/", f":{line.port}/", app.config["DATABASE_URL"])
    return create_site({"DATABASE_URL": url})


@pytest.fixture
def site(app: Flask) -> Iterator[Flask]:
    """Give a web process's app whose statements may take half a second."""
    site = create_site({"DATABASE_URL": app.config["DATABASE_URL"], "WEB_THREADS": "1"})
    with site.app_context():
        reads().longest = 0.5
        yield site
        assert all_connections_are_back()


def slow_ones(app: Flask) -> int:
    with app.app_context(), db.engine.connect() as connection:
        count: int = connection.execute(
            text(
                "select count(*) from pg_stat_activity"
                " where pid <> pg_backend_pid() and query like '%pg_sleep%' and state = 'active'"
            )
        ).scalar_one()
        return count


@pytest.mark.usefixtures("site")
def test_a_statement_that_takes_too_long_is_given_up_and_not_sent_again() -> None:
    execute("select 1")

    began = time.monotonic()
    with pytest.raises(NoAnswerError):
        execute(SLOW)
    assert time.monotonic() - began < 3

    assert execute("select 2").scalar() == 2


@pytest.mark.usefixtures("site")
def test_so_is_one_in_a_snapshot() -> None:
    with pytest.raises(NoAnswerError), snapshot():
        execute(SLOW)

    assert execute("select 2").scalar() == 2


@pytest.mark.usefixtures("site")
def test_postgresql_ends_what_was_given_up(app: Flask) -> None:
    with pytest.raises(NoAnswerError):
        execute(SLOW)

    until(lambda: not slow_ones(app), "PostgreSQL has ended it")


def test_while_all_statements_hang_nobody_waits_for_a_connection(site: Flask) -> None:
    reads().longest = 60
    ended: list[type] = []

    def ask() -> None:
        with site.app_context():
            try:
                execute("select pg_sleep(5)")
            except psycopg2.Error as error:
                ended.append(type(error))

    asking = [threading.Thread(target=ask) for _ in range(reads()._most)]
    for thread in asking:
        thread.start()
    time.sleep(2.5)
    began = time.monotonic()
    with pytest.raises(NoConnectionError):
        execute("select 1")
    assert time.monotonic() - began < 1
    for thread in asking:
        thread.join()
    assert ended == []


def test_commands_and_tasks_may_take_their_time(database_url: str) -> None:
    app = create_app({"DATABASE_URL": database_url})

    assert app.extensions["reads"].longest is None
    assert app.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"].keys() == CONNECTING.keys()


def test_a_connection_that_takes_nothing_more_is_replaced(far_site: Flask, line: Line) -> None:
    with far_site.app_context():
        execute("select 1")
        line.halt()

        began = time.monotonic()
        assert execute("select 2" + " " * 20 * ROOM).scalar() == 2
        assert time.monotonic() - began < STATEMENT_SECONDS


def test_while_the_database_does_not_answer_one_thread_tries(app: Flask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = re.sub(r":\d+/", f":{silent.getsockname()[1]}/", app.config["DATABASE_URL"])
        site = create_site({"DATABASE_URL": url})
        took: list[float] = []

        def ask() -> None:
            began = time.monotonic()
            with site.app_context(), contextlib.suppress(psycopg2.OperationalError):
                execute("select 1")
            took.append(time.monotonic() - began)

        ask()
        asking = [threading.Thread(target=ask) for _ in range(20)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()

    # The first of all has found out, and one more has tried.
    assert [seconds > 1 for seconds in sorted(took)] == [False] * 19 + [True] * 2
