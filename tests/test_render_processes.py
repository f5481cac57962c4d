"""Chrome in a server, as real processes: nothing outlives the server, no one waits in vain."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path

import psutil
import pytest

from pypistats.embedded import ValkeyServer
from tests import chrome_processes
from tests.network import free_port, wait_for

ROOT = Path(__file__).parent.parent
PATIENT = 120


class Server:
    """A server, with the folder that its Chromes have for temporary files."""

    def __init__(self, folder: Path, database_url: str, **environ: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.notes = folder / "notes"
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pypistats.server", "tests.drawing_app:make_app"],
            cwd=ROOT,
            env={
                "DATABASE_URL": database_url,
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "WEB_CONCURRENCY": "1",
                "TMPDIR": str(folder / "tmp"),
                "NOTES": str(folder / "notes"),
                "PATH": os.environ["PATH"],
                **environ,
            },
            stderr=subprocess.DEVNULL,
        )
        wait_for(f"{self.url}/health")

    def get(self, path: str) -> tuple[int, Message, bytes]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENT) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    @property
    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def guards(self) -> list[psutil.Process]:
        return [guard for worker in self.workers for guard in chrome_processes.guards(worker.pid)]

    def draw_in_each_worker(self) -> None:
        """Ask for pictures until each worker has a Chrome."""
        until(
            lambda: self.get("/test/picture")[0] == 200 and len(self.guards()) == len(self.workers)
        )

    def kill(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in [*self.workers, psutil.Process(self.process.pid)]:
                process.kill()
        self.process.wait()


Serve = Callable[..., Server]


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Give a function that starts a server."""
    servers: list[Server] = []

    def serve(**environ: str) -> Server:
        servers.append(Server(tmp_path, database_url, **environ))
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()


def until(holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + PATIENT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_clean(server: Server) -> bool:
    return chrome_processes.leftovers(server.temporary) == []


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_nothing_is_left_when_the_server_ends(serve: Serve, end: str) -> None:
    server = serve()
    server.draw_in_each_worker()
    assert not is_clean(server)

    server.process.send_signal(signal.Signals[end])

    server.process.wait(PATIENT)
    until(lambda: is_clean(server))


def test_nothing_is_left_when_all_processes_of_the_server_are_killed_at_once(
    serve: Serve,
) -> None:
    server = serve()
    server.draw_in_each_worker()

    server.kill()

    until(lambda: is_clean(server))


def test_nothing_is_left_of_a_worker_that_is_killed_while_it_draws(serve: Serve) -> None:
    server = serve()
    with ThreadPoolExecutor(1) as thread:
        stuck = thread.submit(server.get, "/test/stuck")
        until(lambda: len(server.guards()) == 1)
        (guard,) = server.guards()
        psutil.Process(guard.ppid()).kill()

        assert stuck.exception()
    until(lambda: is_clean(server))
    wait_for(f"{server.url}/health")
    assert server.get("/test/picture")[0] == 200


def test_each_worker_has_a_chrome_of_its_own(serve: Serve) -> None:
    server = serve(WEB_CONCURRENCY="2")

    server.draw_in_each_worker()

    assert {guard.ppid() for guard in server.guards()} == {worker.pid for worker in server.workers}
    assert chrome_processes.guards(server.process.pid) == []


def test_other_requests_are_answered_while_a_picture_is_stuck(serve: Serve) -> None:
    server = serve(WEB_CONCURRENCY="1", WEB_THREADS="2", RENDER_PLACES="1", RENDER_SECONDS="5")
    with ThreadPoolExecutor(1) as thread:
        stuck = thread.submit(server.get, "/test/stuck")
        until(lambda: len(server.guards()) == 1)

        status, headers, body = server.get("/test/picture")

        assert (status, headers["Retry-After"]) == (503, "2")
        assert b"Too many charts are being drawn." in body
        assert server.get("/health")[0] == 200
        assert not stuck.done()
        assert stuck.result()[0] == 503
    until(lambda: server.get("/test/picture")[0] == 200)


def test_twenty_requests_for_one_picture_draw_it_once(
    serve: Serve, valkey_server: ValkeyServer
) -> None:
    server = serve(WEB_CONCURRENCY="2", REDIS_URL=valkey_server.url)

    def picture(_number: int) -> bytes:
        """Ask until there is a place, as the answer says."""
        while True:
            status, headers, body = server.get("/test/kept/once")
            if status == 200:
                return body
            assert (status, headers["Retry-After"]) == (503, "2")

    with ThreadPoolExecutor(20) as threads:
        pictures = set(threads.map(picture, range(20)))

    assert len(pictures) == 1
    assert server.notes.read_text() == "once\n"


def test_without_a_browser_the_site_goes_on_and_pictures_answer_503(serve: Serve) -> None:
    server = serve(BROWSER_PATH="/nowhere/chrome")

    status, headers, body = server.get("/test/picture")

    assert (status, headers["Retry-After"]) == (503, "600")
    assert b"This server has no browser to draw with." in body
    assert server.get("/")[0] == 200


def test_a_fork_after_a_picture_gives_the_child_a_chrome_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.run_forked_render"],
        cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, timeout=PATIENT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip

    assert (done.stdout, done.returncode) == ("parent child parent\n", 0)
    until(lambda: chrome_processes.leftovers(tmp_path) == [])
