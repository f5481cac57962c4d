"""The server as real processes: how it starts, what becomes of its processes, how it ends."""

import contextlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pypistats.server import STOP_SECONDS
from tests.network import free_port, has_ipv6, wait_for
from tests.pipeline_processes import until
from tests.web_processes import PATIENCE, Client, Web, get

ROOT = Path(__file__).parent.parent
LOOPBACKS = {"127.0.0.1": "127.0.0.1"} | ({"::1": "[::1]"} if has_ipv6() else {})
"""The addresses that a server here can have, and how they stand in a URL."""


@pytest.fixture
def web(database_url: str) -> Iterator[Web]:
    web = Web("tests.waiting_app:make_app", DATABASE_URL=database_url, WEB_CONCURRENCY="2")
    yield web
    web.end()


@pytest.fixture
def one_process(database_url: str) -> Iterator[Web]:
    web = Web(DATABASE_URL=database_url, WEB_CONCURRENCY="1")
    yield web
    web.end()


def start(**environ: str) -> "subprocess.CompletedProcess[str]":
    """Start a server that can't run."""
    return subprocess.run(
        [sys.executable, "-m", "pypistats.server"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOST": "127.0.0.1", **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_an_address_that_is_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = start(PORT=str(port), DATABASE_URL="postgresql://127.0.0.1:1/none")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("can't listen: Address already in use")
    assert str(port) in done.stderr


def test_all_of_ipv6_is_in_use_where_an_address_of_ipv4_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = start(HOST="::", PORT=str(port), DATABASE_URL="postgresql://127.0.0.1:1/none")

    assert done.returncode == 1
    # A machine without IPv6 can't listen there in any case.
    assert done.stderr.startswith(f"can't listen: {'Address already in use' if has_ipv6() else ''}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["localhost", "127.1"])
def test_a_host_may_have_any_name_that_the_system_knows(database_url: str, host: str) -> None:
    web = Web(DATABASE_URL=database_url, WEB_CONCURRENCY="1", HOST=host)

    assert get(web.port, "/health").status == 200
    web.end()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "[::1]", "127.0.0.1:5000"])
def test_a_host_that_is_no_address_is_told(host: str) -> None:
    done = start(HOST=host, PORT="1", DATABASE_URL="postgresql://127.0.0.1:1/none")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("HOST can't be what it is set to: it takes an address")
    assert len(done.stderr.splitlines()) == 1


def test_a_setting_that_cannot_be_is_told() -> None:
    done = start(PORT="0", DATABASE_URL="postgresql://127.0.0.1:1/none")

    assert done.returncode == 1
    assert done.stderr.startswith("PORT can't be what it is set to: ")


def test_a_worker_that_was_killed_is_replaced_and_the_other_answers_meanwhile(web: Web) -> None:
    killed, other = web.workers
    killed.kill()

    until(lambda: killed not in web.workers and len(web.workers) == 2, "there is another worker")

    assert other in web.workers
    assert [get(web.port, "/health").status for _time in range(20)] == [200] * 20


def test_told_to_stop_while_a_worker_starts_it_ends_at_once(web: Web) -> None:
    killed, other = web.workers
    killed.kill()
    until(lambda: set(web.workers) - {killed, other}, "there is another worker")

    web.stop()

    assert web.ended() == 0


def test_the_workers_end_when_the_process_that_started_them_is_killed(web: Web) -> None:
    workers = web.workers

    web.kill_first()

    until(lambda: not any(worker.is_running() for worker in workers), "all have ended")


def test_an_answer_that_has_begun_is_sent_when_the_server_is_told_to_stop(web: Web) -> None:
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(get, web.port, "/test/wait")
        until(lambda: get(web.port, "/test/waiting").body == b"1", "it has begun")
        web.stop()

        assert answer.result().body == b"waited"
    assert web.ended() == 0


def test_it_is_sent_as_well_when_ctrl_c_is_pressed_again_and_again(web: Web) -> None:
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(get, web.port, "/test/wait")
        until(lambda: get(web.port, "/test/waiting").body == b"1", "it has begun")
        for _time in range(4):
            web.interrupt()
            time.sleep(0.2)

        assert answer.result().body == b"waited"
    assert web.ended() == 0


def test_gunicorn_takes_an_address_of_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "HOST": "::1", "PORT": "8000"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert runpy.run_path(f"{ROOT}/gunicorn.conf.py")["bind"] == "[::1]:8000"


def test_a_stop_ends_while_platforms_still_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    heroku, spare = 30, 3

    assert STOP_SECONDS + spare <= heroku
    assert runpy.run_path(f"{ROOT}/gunicorn.conf.py")["graceful_timeout"] == STOP_SECONDS


def test_a_connection_is_kept_and_both_kinds_of_answers_come_on_it(web: Web) -> None:
    client = Client(web.port)

    replies = [client.ask("/health"), client.ask("/robots.txt"), client.ask("/robots.txt", "HEAD")]

    assert [reply.status for reply in replies] == [200, 200, 200]
    assert replies[2].body == b""
    assert replies[2].headers["content-length"] == str(len(replies[1].body))
    client.close()


def test_hundreds_of_idle_connections_keep_nobody_out(one_process: Web) -> None:
    with contextlib.ExitStack() as stack:
        for _client in range(800):
            client = stack.enter_context(contextlib.closing(Client(one_process.port)))
            assert client.ask("/health").status == 200

        assert get(one_process.port, "/health").status == 200


def test_a_request_that_is_no_http_is_refused(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), PATIENCE) as connection:
        connection.sendall(b"hello\r\n\r\n")

        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_headers_that_are_too_long_are_refused(web: Web) -> None:
    assert get(web.port, "/health", X_Long="a" * 60_000).status == 431


def test_a_long_address_is_answered_by_the_site_itself(web: Web) -> None:
    reply = get(web.port, f"/api/packages/{'a' * 9_000}/recent")

    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize(("host", "netloc"), LOOPBACKS.items())
def test_gunicorn_serves_the_site_too(database_url: str, host: str, netloc: str) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "pypistats:create_site()"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "HOST": host,
            "PORT": str(port),
        },
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(f"http://{netloc}:{port}/health")
            with urllib.request.urlopen(f"http://{netloc}:{port}/robots.txt") as answer:
                assert answer.headers["Server"] == "gunicorn"
        finally:
            process.send_signal(signal.SIGTERM)
