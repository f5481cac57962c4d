"""A connection to the database that is lost without a word is replaced."""

import contextlib
import ctypes
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from pypistats import create_site
from pypistats.reading import execute
from tests.made import bump
from tests.pipeline_processes import until

ATTACH_FILTER = 26
"""Linux's SO_ATTACH_FILTER, which Python does not name."""


class Line:
    """Stands between an app and PostgreSQL, and loses connections as a router does."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self) -> None:
        """Have nothing pass any more on what is connected, not even a word that it does not."""
        # One instruction of BPF: return 0, the bytes that may pass.
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
        program = struct.pack("HP", 1, ctypes.addressof(nothing))
        for end in self._ends:
            end.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, program)

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
    return create_site({"DATABASE_URL": url, "REVISION_SECONDS": "0"})


def test_a_connection_that_was_lost_without_a_word_is_replaced(far_site: Flask, line: Line) -> None:
    with far_site.app_context():
        execute("select 1")
        line.lose()

        began = time.monotonic()
        assert execute("select 2").scalar() == 2
        assert time.monotonic() - began < 10


def test_the_data_revision_is_read_by_another_connection_then(
    app: Flask, far_site: Flask, line: Line
) -> None:
    watch = far_site.extensions["answers"].keeper.watch
    before = watch.current()
    line.lose()
    bump(app)

    began = time.monotonic()
    until(lambda: watch.current() != before, "it is noticed")
    assert time.monotonic() - began < 10
