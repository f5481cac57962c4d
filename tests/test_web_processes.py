"""The Procfile's `web` with two worker processes: what only shows between real processes.

They have a database and a Valkey of their own; PostgreSQL's log tells which statements came.
"""

import contextlib
import gzip
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import brotli
import orjson
import psutil
import pytest
import redis
import zstandard
from flask import Flask
from sqlalchemy import text

from pypistats import create_app, ingest
from pypistats.embedded import PostgresServer
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.pipeline_processes import Valkey, running, until
from tests.web_processes import Client, Reply, Web, at_once, get

CLIENTS, WORKERS = 200, 2
PACKAGES = [f"package-{n:03}" for n in range(60)]

NUMBERS = itertools.count()

DECODERS = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
}


def load(app: Flask, downloads: int) -> None:
    with app.app_context():
        rows = [package_day(name, downloads=downloads) for name in PACKAGES]
        ingest.ingest_day(DAY, FixedSource(*rows))


class Site:
    """The web processes, the servers behind them, and what a test asks of these."""

    def __init__(self, web: Web, app: Flask, valkey: Valkey, log: Path) -> None:
        self.web = web
        self.valkey = valkey
        self._app = app
        self._log = log

    def load(self, downloads: int) -> None:
        """Put a day into the database in which each package has so many downloads."""
        load(self._app, downloads)

    def statements_about(self, package: str) -> list[str]:
        """Return the statements with a package's name that have come to PostgreSQL."""
        lines = self._log.read_text().splitlines()
        return [line for line in lines if "statement:" in line and f"'{package}'" in line]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have all that reads or writes the days wait until the end of the block."""
        with self._app.app_context(), db.engine.connect() as connection:
            connection.execute(text("lock table daily in access exclusive mode"))
            yield
            connection.rollback()

    @contextlib.contextmanager
    def frozen_postgres(self) -> Iterator[None]:
        """Have PostgreSQL take connections and never answer, until the end of the block."""
        number = int((self._log.parent / "data" / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(number)
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def waiting(self) -> int:
        """Return how many statements wait for what is held."""
        with self._app.app_context():
            count: int = db.session.execute(
                text("select count(*) from pg_locks where not granted")
            ).scalar_one()
            db.session.rollback()
            return count

    def claims(self) -> int:
        with redis.Redis.from_url(self.valkey.url) as client:
            return len(client.keys("pypistats:*:claim"))

    def polls(self) -> int:
        """Return how often processes have asked for a claim, which goes on while one waits."""
        with redis.Redis.from_url(self.valkey.url) as client:
            stats = client.info("commandstats").items()
            return sum(each["calls"] for name, each in stats if name.startswith("cmdstat_eval"))

    def shared(self) -> int:
        """Return how many answers Valkey has."""
        with redis.Redis.from_url(self.valkey.url) as client:
            return int(client.dbsize())

    def settle(self) -> None:
        """Wait until each process gives what it makes to the others."""
        with contextlib.ExitStack() as stack:
            for client in self.client_of_each_worker(stack):
                until(lambda client=client: self._shares(client), "it shares its answers")

    def _shares(self, client: Client) -> bool:
        """Have a process make what nobody has made before; tell whether it is in Valkey then."""
        before = self.shared()
        assert client.ask(f"/api/search?q=package-{next(NUMBERS)}").status == 200
        return self.shared() > before

    def client_of_each_worker(self, stack: contextlib.ExitStack) -> list[Client]:
        """Return a connection to each process."""
        found: dict[int, Client] = {}

        def connect() -> bool:
            client = stack.enter_context(contextlib.closing(Client(self.web.port)))
            client.ask("/health")
            if worker := self.web.worker_of(client):
                found.setdefault(worker, client)
            return len(found) == WORKERS

        until(connect, "each process has a connection")
        return list(found.values())


@pytest.fixture(scope="module")
def started(web_database: str, postgres_server: PostgresServer) -> Iterator[Site]:
    app = create_app({"DATABASE_URL": web_database})
    # A process knows the data from its first answer on.
    load(app, 10)
    valkey = Valkey()
    with running(valkey):
        web = Web(DATABASE_URL=web_database, REDIS_URL=valkey.url, WEB_CONCURRENCY=str(WORKERS))
        try:
            yield Site(web, app, valkey, postgres_server._log)
        finally:
            web.end()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def site(started: Site) -> Site:
    """Give the site once both processes share their answers, whatever befell it before."""
    started.settle()
    return started


def series(package: str, downloads: int = 10) -> dict[str, Any]:
    """Return the document that /system has to be."""
    return {
        "package": package,
        "type": "system_downloads",
        "data": [{"category": "Linux", "date": str(DAY), "downloads": downloads}],
    }


def documents(replies: list[Reply]) -> list[tuple[int, Any]]:
    """Return the different ones."""
    found = {(reply.status, reply.body) for reply in replies}
    return [(status, orjson.loads(body)) for status, body in found]


def test_a_stampede_on_a_cold_address_is_one_statement(site: Site) -> None:
    package = PACKAGES[0]
    path = f"/api/packages/{package}/system"

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
        each = site.client_of_each_worker(stack)
        with site.held():
            answers = at_once(pool, CLIENTS - 2, lambda: get(site.web.port, path))
            answers += [pool.submit(client.ask, path) for client in each]
            until(site.waiting, "one process asks PostgreSQL")
            before = site.polls()
            until(lambda: site.polls() > before + 9, "the other one waits for it")
        replies = [answer.result() for answer in answers]

    assert len(replies) == CLIENTS
    assert documents(replies) == [(200, series(package))]
    assert len(site.statements_about(package)) == 1


def test_a_process_that_is_killed_holds_up_nobody_for_long(site: Site) -> None:
    path = f"/api/packages/{PACKAGES[41]}/system"

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        first, second = site.client_of_each_worker(stack)
        with site.held():
            lost = pool.submit(first.ask, path)
            until(site.claims, "the first process has the claim")
            until(site.waiting, "it asks PostgreSQL")
            waiting = pool.submit(second.ask, path)
            os.kill(site.web.worker_of(first) or 0, signal.SIGKILL)

        assert documents([waiting.result()]) == [(200, series(PACKAGES[41]))]
        assert isinstance(lost.exception(), OSError)
    until(lambda: len(site.web.workers) == 2, "another process is there")


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_redis_may_go_while_answers_are_made_and_come_back(site: Site, fault: str) -> None:
    package, *others = PACKAGES[1:20] if fault == "killed" else PACKAGES[20:40]
    cold = f"/api/packages/{package}/system"
    get(site.web.port, "/faqs")

    with ThreadPoolExecutor(CLIENTS) as pool:
        with site.held():
            answers = at_once(pool, CLIENTS, lambda: get(site.web.port, cold))
            until(site.claims, "one process has the claim")
            until(site.waiting, "it asks PostgreSQL")
            site.valkey.lose(fault)
        replies = [answer.result() for answer in answers]
        meanwhile = [get(site.web.port, f"/api/packages/{name}/system") for name in others]
        kept = [get(site.web.port, "/faqs") for _ in others]
    site.valkey.return_from(fault)

    assert len(replies) == CLIENTS
    assert documents(replies) == [(200, series(package))]
    assert 1 <= len(site.statements_about(package)) <= 2
    assert [documents([reply]) for reply in meanwhile] == [[(200, series(n))] for n in others]
    assert {reply.status for reply in kept} == {200}
    site.settle()


PAGE = f"/packages/{PACKAGES[0]}"


def test_new_data_is_in_both_processes_at_once_and_never_in_part(site: Site) -> None:
    ended = threading.Event()
    seen: list[list[Reply]] = []

    def ask_on(client: Client) -> None:
        seen.append(replies := [])
        while not ended.is_set():
            replies.append(client.ask(PAGE))

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        each = site.client_of_each_worker(stack)
        clients = [stack.enter_context(contextlib.closing(Client(site.web.port))) for _ in range(6)]
        before = each[0].ask(PAGE)
        asking = [pool.submit(ask_on, client) for client in [*clients, *each]]
        site.load(1_234)
        until(lambda: all(len(set(bodies(replies))) > 1 for replies in seen), "all have it")
        ended.set()
        assert [future.result() for future in asking] == [None] * 8
        after = each[0].ask(PAGE)

    assert (b"1,234" in before.body, b"1,234" in after.body) == (False, True)
    for replies in seen:
        changed = bodies(replies).index(after.body)
        assert bodies(replies) == [before.body] * changed + [after.body] * (len(replies) - changed)
        tags = [reply.headers["etag"] for reply in replies]
        assert tags == [before.headers["etag"]] * changed + [after.headers["etag"]] * (
            len(tags) - changed
        )


def bodies(replies: list[Reply]) -> list[bytes]:
    return [reply.body for reply in replies]


ADDRESSES = [
    f"/api/packages/{PACKAGES[0]}/recent",
    "/api/packages/" + ",".join(PACKAGES) + "/recent",
    PAGE,
    f"/badge/{PACKAGES[0]}.svg",
    f"/api/packages/{PACKAGES[0]}/chart/system?format=plotly",
    "/sitemaps/packages-0.xml",
    "/openapi.yaml",
]


OWN = {"connection", "date", "ratelimit", "ratelimit-policy", "server"}
"""The headers of an answer that are one client's or one moment's."""


@pytest.mark.parametrize("path", ADDRESSES)
def test_variants_heads_and_304s_are_the_same_from_each_process(site: Site, path: str) -> None:
    with contextlib.ExitStack() as stack:
        clients = site.client_of_each_worker(stack)
        plain = from_each(clients, path)
        assert "content-encoding" not in plain.headers
        for encoding, decode in DECODERS.items():
            variant = from_each(clients, path, Accept_Encoding=encoding)
            if len(plain.body) < 1_000:
                assert variant == plain
                continue
            assert decode(variant.body) == plain.body
            assert variant.headers["content-encoding"] == encoding
            assert variant.headers["etag"] == f'{plain.headers["etag"][:-1]}-{encoding}"'
            assert variant.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


def from_each(clients: list[Client], path: str, **headers: str) -> Reply:
    """Return the answer that all processes give, after HEAD and 304, which no byte follows."""
    first, *others = [ask(client, path, **headers) for client in clients * 2]
    assert others == [first] * len(others)
    assert first.headers["content-length"] == str(len(first.body))
    for client in clients:
        head = ask(client, path, "HEAD", **headers)
        assert head == Reply(200, first.headers, b"")
        same = ask(client, path, If_None_Match=first.headers["etag"], **headers)
        repeated = ("access-control-allow-origin", "cache-control", "etag", "last-modified", "vary")
        kept = {name: first.headers[name] for name in repeated if name in first.headers}
        assert same == Reply(304, kept, b"")
    assert [ask(client, path, **headers) for client in clients] == [first] * len(clients)
    return first


def ask(client: Client, path: str, method: str = "GET", **headers: str) -> Reply:
    reply = client.ask(path, method, **headers)
    common = {name: value for name, value in reply.headers.items() if name not in OWN}
    return reply._replace(headers=common)


def test_while_postgresql_is_frozen_what_is_kept_is_given_and_the_rest_refused(site: Site) -> None:
    kept = f"/api/packages/{PACKAGES[42]}/recent"
    cold = [f"/api/packages/{name}/overall" for name in PACKAGES]

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(len(cold)) as pool:
        clients = site.client_of_each_worker(stack)
        (known,) = {client.ask(kept).body for client in clients}
        with site.frozen_postgres():
            asked = [pool.submit(get, site.web.port, path) for path in cold]
            until(lambda: sum(each.done() for each in asked) >= 20, "many are refused")
            began = time.monotonic()
            given = [client.ask(kept) for client in clients for _ in range(20)]
            alive = [client.ask("/health") for client in clients for _ in range(20)]
            assert time.monotonic() - began < 5
            until(lambda: all(each.done() for each in asked), "all are refused")
        replies = [each.result() for each in asked]

        assert {(reply.status, reply.body) for reply in given} == {(200, known)}
        assert {reply.body for reply in alive} == {b'{"status":"ok","sample_data":false}'}
        assert {(reply.status, reply.headers["retry-after"]) for reply in replies} == {(503, "30")}
        for client in clients:
            until(lambda client=client: client.ask(cold[0]).status == 200, "all is as before")
