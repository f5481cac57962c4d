"""`make run` of a site that tracks packages, as real processes: a crowd asks for what is not there.

PyPI and BigQuery are servers of the test; what reaches BigQuery is counted before its emulator.
"""

import datetime as dt
import os
import signal
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path

import orjson
import psutil
import pytest

from pypistats.sources.clickhouse import BELLWETHERS
from tests.bigquery_emulator import Emulator
from tests.bigquery_proxy import Proxy, hang
from tests.download_rows import Row, at, row
from tests.fixtures_clickhouse import ClickHouse
from tests.launch import Launch, launches
from tests.scripted_server import ScriptedServer, answer

CLIENTS = 100
RANDOM_NAMES = int(os.environ.get("RANDOM_NAMES", "1000"))
"""How many names are asked for that nobody has: more than the suite has time for on demand."""

PATIENCE = 120

RETENTION = 30
"""Days that the sites here keep."""

NAMES = ("flask", "nobody", *BELLWETHERS)


RECENT = {"last_day": 1, "last_week": 7, "last_month": 30}
"""What is told of a package that has the downloads of `recent_rows`."""


def recent_rows() -> list[Row]:
    """Return a download and one of a mirror of each package on each day that a site may keep.

    Soon after midnight its last one is the day before yesterday, and midnight may come while the
    tests run.
    """
    today = dt.datetime.now(dt.UTC).date()
    return [
        row(name, at(today - dt.timedelta(days=ago)), installer=installer)
        for ago in range(-1, RETENTION + 2)
        for name in {"flask", *BELLWETHERS}
        for installer in ("pip", "bandersnatch")
    ]


@pytest.fixture(scope="module")
def pypi() -> Iterator[ScriptedServer]:
    """Give a server in PyPI's place that knows some names."""
    scripted = ScriptedServer()
    names = {"meta": {}, "projects": [{"name": name} for name in NAMES]}
    scripted.scripts["/simple/"] = answer(orjson.dumps(names))
    scripted.scripts["/pypi/flask/json"] = answer(
        orjson.dumps({"info": {"summary": "A simple framework", "version": "3.1"}})
    )
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def billed(bigquery_emulator: Emulator, pypi: ScriptedServer) -> Iterator[tuple[Launch, Proxy]]:
    """Give a running site that tracks packages at BigQuery, and what counts its queries."""
    bigquery_emulator.put(recent_rows())
    proxy = Proxy(bigquery_emulator.url)
    with (
        tempfile.TemporaryDirectory(prefix="pypistats-test-") as name,
        launches(Path(name)) as started,
    ):
        site = Launch(
            Path(name),
            SOURCE="bigquery",
            INGEST_SCOPE="tracked",
            BIGQUERY_EMULATOR_HOST=proxy.url,
            BIGQUERY_PROJECT="billed",
            PYPI_URL=pypi.url,
            SCHEDULE_SECONDS="1",
            RETENTION_DAYS=str(RETENTION),
        )
        started.append(site)
        site.until("ready: http://127.0.0.1:")
        yield site, proxy
        assert site.end(signal.SIGINT) == 0
    proxy.close()


def ask(site: Launch, path: str) -> tuple[int, bytes, Message]:
    """Ask once; return the status, the body and the headers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}{path}", timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def ask_until_answered(site: Launch, path: str) -> tuple[list[int], bytes]:
    """Ask as a good client does, again when it is told to; return all statuses and the body."""
    statuses: list[int] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        status, body, headers = ask(site, path)
        statuses.append(status)
        if status != 503:
            return statuses, body
        time.sleep(int(headers["Retry-After"]))
    raise AssertionError(f"{path}: {statuses}")


def test_a_crowd_that_asks_for_one_package_makes_one_query_and_random_names_make_none(
    billed: tuple[Launch, Proxy],
) -> None:
    site, proxy = billed
    ask_until_answered(site, "/api/packages/flask/recent")
    before = len(proxy.of("query"))
    path = "/api/packages/numpy/overall?mirrors=true"

    with ThreadPoolExecutor(CLIENTS) as crowd:
        found = list(crowd.map(lambda _: ask_until_answered(site, path), range(CLIENTS)))

    assert Counter(statuses[-1] for statuses, _ in found) == {200: CLIENTS}
    assert len({body for _, body in found}) == 1
    data = orjson.loads(found[0][1])["data"]
    assert {point["downloads"] for point in data} == {2}
    told = [dt.date.fromisoformat(point["date"]) for point in data]
    assert told == [told[-1] - dt.timedelta(days=ago) for ago in reversed(range(RETENTION))]
    assert dt.datetime.now(dt.UTC).date() - told[-1] <= dt.timedelta(days=2)
    assert len(proxy.of("query")) == before + 1

    with ThreadPoolExecutor(8) as crowd:
        paths = (f"/api/packages/random-{number}/recent" for number in range(RANDOM_NAMES))
        statuses = Counter(status for status, *_ in crowd.map(lambda each: ask(site, each), paths))
    assert statuses == {404: RANDOM_NAMES}
    assert len(proxy.of("query")) == before + 1
    assert orjson.loads(ask(site, "/api/packages/__all__/recent")[1])["data"]["last_day"] == 2


def test_a_worker_killed_while_it_fetches_leaves_nothing_behind(
    billed: tuple[Launch, Proxy],
) -> None:
    site, proxy = billed
    ask_until_answered(site, "/api/packages/flask/recent")
    before = len(proxy.of("query"))
    proxy.fail("query", hang)
    with ThreadPoolExecutor(1) as visitor:
        asked = visitor.submit(ask_until_answered, site, "/api/packages/certifi/recent")
        until(lambda: len(proxy.of("query")) == before + 1)
        proxy.mend("query")
        for process in fetchers(site):
            process.kill()
        statuses, body = asked.result(timeout=PATIENCE)

    assert statuses[-1] == 200
    assert orjson.loads(body)["data"] == RECENT
    assert len(proxy.of("query")) == before + 2


def fetchers(site: Launch) -> list[psutil.Process]:
    """Return the processes of the worker that do its tasks."""
    started = psutil.Process(site.process.pid).children(recursive=True)
    workers = [each for each in started if "celery_worker worker" in " ".join(each.cmdline())]
    return [worker for worker in workers if not worker.children()]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_person_without_an_account_sees_whatever_package_they_open(
    pypi: ScriptedServer, open_folder: Path, tmp_path: Path, launched: list[Launch]
) -> None:
    clickhouse = ClickHouse(tmp_path, recent_rows(), answered=1_000, read=1_000_000)
    try:
        site = Launch(
            open_folder,
            SOURCE="clickhouse",
            CLICKHOUSE_URL=clickhouse.url,
            CLICKHOUSE_USER="play",
            PYPI_URL=pypi.url,
            SCHEDULE_SECONDS="1",
        )
        launched.append(site)
        site.until("ready: http://127.0.0.1:")
        assert "packages are fetched when their pages are opened" in site.printed

        _, page = ask_until_answered(site, "/packages/flask")
        assert b"<h1>flask</h1>" in page
        _, recent = ask_until_answered(site, "/api/packages/flask/recent")
        assert orjson.loads(recent)["data"] == RECENT
        _, nobody = ask_until_answered(site, "/api/packages/nobody/recent")
        assert orjson.loads(nobody)["data"]["last_month"] == 0
        assert ask(site, "/packages/random")[0] == 404

        until(lambda: b"A simple framework" in ask(site, "/packages/flask")[1])
        assert site.end(signal.SIGINT) == 0
    finally:
        clickhouse.stop()
