"""What `make run` starts, as real processes: it comes up, says so, and leaves nothing behind."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO, cast

import psycopg2
import pytest
from flask import Flask

from pypistats import ingest, launcher
from pypistats.embedded import PostgresServer, ValkeyServer
from tests.fixed_source import DAY, FixedSource, package_day
from tests.launch import Launch, launches
from tests.pipeline_processes import until

ROOT = Path(__file__).parent.parent


@pytest.fixture
def filled_url(postgres_server: PostgresServer, app: Flask) -> str:
    """Give the address of a database that has a day, as Heroku would write it."""
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))
    return postgres_server.url.replace("postgresql://", "postgres://")


@pytest.fixture(scope="module")
def first() -> Iterator[Launch]:
    """Give a launch that has loaded the sample into its folder, and has ended."""
    with (
        tempfile.TemporaryDirectory(prefix="pypistats-test-") as name,
        launches(Path(name)) as started,
    ):
        started.append(launch := Launch(Path(name)))
        launch.until("ready: http://127.0.0.1:")
        assert launch.end(signal.SIGINT) == 0
        yield launch


@pytest.fixture
def relaunched(first: Launch) -> Iterator[list[Launch]]:
    """Give a list for launches in that folder, as `launched` does for an empty one."""
    with launches(first.folder) as started:
        yield started


def test_the_first_start_loads_the_sample(first: Launch) -> None:
    assert f"ready: http://127.0.0.1:{first.port}\n" in first.printed
    assert "pypistats: loading sample data: 177 days of made-up downloads\n" in first.printed
    assert "177 of 177 days" in first.printed
    assert first.printed.endswith("pypistats: stopped\n")
    assert first.left_behind() == []


def test_it_serves_sample_data_and_leaves_nothing_behind(
    first: Launch, relaunched: list[Launch]
) -> None:
    relaunched.append(launch := Launch(first.folder))
    launch.until("ready: http://127.0.0.1:")

    assert "of 177 days" not in launch.printed
    assert '"sample_data":true' in launch.get("/health")
    assert "requests" in launch.get("/packages/requests")

    assert launch.end(signal.SIGINT) == 0
    assert launch.printed.endswith("pypistats: stopped\n")
    assert launch.left_behind() == []


def test_a_day_that_goes_missing_comes_back_by_itself(
    first: Launch, relaunched: list[Launch]
) -> None:
    relaunched.append(launch := Launch(first.folder, SCHEDULE_SECONDS="1"))
    launch.until("ready: ")
    before = launch.days_of_flask()
    url = PostgresServer(first.folder / "postgres").url
    with contextlib.closing(psycopg2.connect(url)) as held, held, held.cursor() as cursor:
        cursor.execute("delete from daily where day = %s", (before[-5],))
        cursor.execute("delete from ingested_days where day = %s", (before[-5],))

    launch.until(f"ingested {before[-5]} from sample")

    assert launch.days_of_flask() == before
    assert launch.end(signal.SIGTERM) == 0
    assert launch.left_behind() == []


def test_a_server_left_by_a_killed_launcher_is_taken_over(
    open_folder: Path, launched: list[Launch]
) -> None:
    launched.append(first := Launch(open_folder))
    first.until("of 177 days")
    first.process.kill()
    first.process.wait()
    assert any("postgres" in command for command in first.left_behind())

    launched.append(second := Launch(open_folder))
    second.until("ready: ")

    assert "177 of 177 days" not in second.printed
    assert 177 > second.sample_days_loaded() > 0
    assert second.end(signal.SIGINT) == 0
    assert second.left_behind() == []


def test_what_a_killed_launcher_had_started_ends_with_it(
    open_folder: Path, launched: list[Launch], filled_url: str, valkey_server: ValkeyServer
) -> None:
    addresses = {"DATABASE_URL": filled_url, "REDIS_URL": valkey_server.url}
    launched.append(launch := Launch(open_folder, **addresses))
    launch.until("ready: ")
    assert [command for command in launch.left_behind() if "celery" in command]

    launch.process.kill()
    launch.process.wait()

    until(lambda: launch.left_behind() == [], "all has ended")


def test_with_a_database_address_no_server_is_started(
    open_folder: Path, launched: list[Launch], filled_url: str
) -> None:
    # A shell would put the home directory in.
    address = f"{filled_url}?application_name=$HOME"
    launched.append(launch := Launch(open_folder, DATABASE_URL=address))
    launch.until("ready: ")

    assert '"last_day":10' in launch.get("/api/packages/flask/recent")
    assert '"sample_data":false' in launch.get("/health")
    status = subprocess.run(
        f". {open_folder / 'env'} && printenv DATABASE_URL && flask status",
        shell=True, cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert status.stdout.startswith(f"{address}\n")
    assert "0 missing, 0 loaded" in status.stdout
    assert launch.end(signal.SIGTERM) == 0
    assert launch.left_behind() == []
    assert "using the server of DATABASE_URL" in launch.printed
    assert "the schedule takes its days from: none" in launch.printed
    assert not (open_folder / "postgres").exists()


def test_with_a_cache_address_no_cache_is_started(
    open_folder: Path, launched: list[Launch], filled_url: str, valkey_server: ValkeyServer
) -> None:
    addresses = {"DATABASE_URL": filled_url, "REDIS_URL": valkey_server.url}
    launched.append(launch := Launch(open_folder, **addresses))
    launch.until("ready: ")

    assert launch.end(signal.SIGINT) == 0
    assert "using the server of REDIS_URL" in launch.printed
    assert not (open_folder / "valkey").exists()


def test_it_ends_when_nobody_reads_what_it_prints(first: Launch, relaunched: list[Launch]) -> None:
    relaunched.append(launch := Launch(first.folder))
    launch.until("starting the processes of the Procfile")

    assert launch.process.stdout
    launch.process.stdout.close()

    assert launch.process.wait(timeout=60) == 0
    assert launch.left_behind() == []


def test_a_signal_while_a_line_is_printed_ends_nothing_midway() -> None:
    """What prints it would leave the processes of the Procfile running, without their database."""
    line = "a line that the pipe takes in parts".ljust(200_000, ".") + "\n"
    reading, writing = os.pipe()
    told = threading.Event()

    def read() -> str:
        with os.fdopen(reading) as pipe:
            begun = pipe.read(1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            told.wait(10)
            return begun + pipe.read()

    with ThreadPoolExecutor() as pool, os.fdopen(writing, "w") as stream:
        output = cast(TextIO, launcher._Output(stream))

        def tell(*_signal: object) -> None:
            told.set()
            print("SIGTERM received", file=output, flush=True)

        before = signal.signal(signal.SIGUSR1, tell)
        try:
            printed = pool.submit(read)
            print(line, end="", file=output, flush=True)
        finally:
            signal.signal(signal.SIGUSR1, before)

    assert printed.result() == line


def test_a_taken_port_is_told(open_folder: Path, launched: list[Launch], filled_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        launched.append(launch := Launch(open_folder, PORT=str(port), DATABASE_URL=filled_url))

        launch.until(f"can't start: port {port}: Address already in use")

    assert launch.process.wait() == 1


def test_a_folder_in_use_is_told(
    open_folder: Path, launched: list[Launch], filled_url: str
) -> None:
    launched.append(first := Launch(open_folder, DATABASE_URL=filled_url))
    first.until("ready: ")

    launched.append(second := Launch(open_folder, DATABASE_URL=filled_url))
    second.until("can't start: another `make run` uses")

    assert second.process.wait() == 1


@pytest.mark.parametrize(
    "case", ["sample clickhouse made-up", "sample bigquery made-up", "fixed sample real"]
)
def test_made_up_days_and_real_ones_are_kept_apart(
    open_folder: Path, launched: list[Launch], filled_url: str, case: str
) -> None:
    loaded, source, kind = case.split()
    with contextlib.closing(psycopg2.connect(filled_url)) as connection, connection:
        connection.cursor().execute("update ingested_days set source = %s", (loaded,))

    launched.append(launch := Launch(open_folder, SOURCE=source, DATABASE_URL=filled_url))
    launch.until(f"can't start: SOURCE is {source}, and the database holds {kind} days")

    assert launch.process.wait() == 1


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DATABASE_URL": "mysql://host/name"}, "can't start: DATABASE_URL can't be"),
        ({"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/n"}, "can't start: the database of"),
        (
            {"DATABASE_URL": "{}?options=-csearch_path%3Dpg_catalog"},
            "the database of DATABASE_URL: p",
        ),
        ({"PYPISTATS_DATA_DIR": "/dev/null/var"}, "can't start: PYPISTATS_DATA_DIR: "),
    ],
)
def test_what_stands_in_the_way_is_told(
    open_folder: Path,
    launched: list[Launch],
    database_url: str,
    environ: dict[str, str],
    message: str,
) -> None:
    given = {variable: value.format(database_url) for variable, value in environ.items()}
    launched.append(launch := Launch(open_folder, **given))

    launch.until(message)

    assert launch.process.wait() == 1
    assert "Traceback" not in launch.printed
