"""`make run` of a site that tracks packages, as real processes: a crowd asks for what is not there.

PyPI and BigQuery are servers of the test; what reaches BigQuery is counted before its emulator.
"""

import datetime as dt
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from pypistats.sources.clickhouse import BELLWETHERS
from tests.bigquery_emulator import Emulator
from tests.bigquery_proxy import Proxy
from tests.download_rows import Row, at, row
from tests.fixtures_clickhouse import ClickHouse
from tests.launch import Launch
from tests.scripted_server import ScriptedServer, answer

CLIENTS = 100
RANDOM_NAMES = 3_000
PATIENCE = 120

YESTERDAY = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
DAYS = [YESTERDAY - dt.timedelta(days=ago) for ago in range(10)]
NAMES = ("flask", "nobody", *BELLWETHERS)


def recent_rows() -> list[Row]:
    """Return a download and one of a mirror of each package, on each of the last ten days."""
    return [
        row(name, at(day), installer=installer)
        for day in DAYS
        for name in {"flask", *BELLWETHERS}
        for installer in ("pip", "bandersnatch")
    ]


@pytest.fixture
def pypi(scripted: ScriptedServer) -> ScriptedServer:
    """Give a server in PyPI's place that knows some names."""
    names = {"meta": {}, "projects": [{"name": name} for name in NAMES]}
    scripted.scripts["/simple/"] = answer(orjson.dumps(names))
    scripted.scripts["/pypi/flask/json"] = answer(
        orjson.dumps({"info": {"summary": "A simple framework", "version": "3.1"}})
    )
    return scripted


@pytest.fixture
def billed(
    bigquery_emulator: Emulator, pypi: ScriptedServer, open_folder: Path, launched: list[Launch]
) -> Iterator[tuple[Launch, Proxy]]:
    """Give a running site that tracks packages at BigQuery, and what counts its queries."""
    bigquery_emulator.put(recent_rows())
    proxy = Proxy(bigquery_emulator.url)
    site = Launch(
        open_folder,
        SOURCE="bigquery",
        INGEST_SCOPE="tracked",
        BIGQUERY_EMULATOR_HOST=proxy.url,
        BIGQUERY_PROJECT="billed",
        PYPI_URL=pypi.url,
        SCHEDULE_SECONDS="1",
        RETENTION_DAYS="30",
    )
    launched.append(site)
    site.until("ready: http://127.0.0.1:")
    yield site, proxy
    proxy.close()


def ask(site: Launch, path: str) -> tuple[int, bytes, dict[str, str]]:
    """Ask once; return the status, the body and the headers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}{path}", timeout=60) as response:
            return response.status, response.read(), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


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
    assert len(proxy.of("query")) == 1
    path = "/api/packages/numpy/overall?mirrors=true"

    with ThreadPoolExecutor(CLIENTS) as crowd:
        found = list(crowd.map(lambda _: ask_until_answered(site, path), range(CLIENTS)))

    assert Counter(statuses[-1] for statuses, _ in found) == {200: CLIENTS}
    assert len({body for _, body in found}) == 1
    data = orjson.loads(found[0][1])["data"]
    assert [(point["date"], point["downloads"]) for point in data] == [
        (day.isoformat(), 2) for day in sorted(DAYS)
    ]
    assert len(proxy.of("query")) == 2

    with ThreadPoolExecutor(8) as crowd:
        paths = (f"/api/packages/random-{number}/recent" for number in range(RANDOM_NAMES))
        statuses = Counter(status for status, *_ in crowd.map(lambda each: ask(site, each), paths))
    assert statuses == {404: RANDOM_NAMES}
    assert len(proxy.of("query")) == 2

    assert orjson.loads(ask(site, "/api/packages/__all__/recent")[1])["data"]["last_day"] == 2
    assert site.end(signal.SIGINT) == 0


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
        assert orjson.loads(recent)["data"] == {"last_day": 1, "last_week": 7, "last_month": 10}
        _, nobody = ask_until_answered(site, "/api/packages/nobody/recent")
        assert orjson.loads(nobody)["data"]["last_month"] == 0
        assert ask(site, "/packages/random")[0] == 404

        end = time.monotonic() + PATIENCE
        while b"A simple framework" not in ask(site, "/packages/flask")[1]:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert site.end(signal.SIGINT) == 0
    finally:
        clickhouse.stop()
