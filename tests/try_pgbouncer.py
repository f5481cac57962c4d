"""The site through PgBouncer, which pools by transaction: `make try-proxies`.

The tests of all that writes go through it as well, by `pytest --pgbouncer 4`.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import orjson
import psycopg2
import pytest

from pypistats import create_app, ingest
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.pgbouncer import pgbouncer
from tests.web_processes import Web, get

POOL = 6
NAMES = [f"package-{n:04}" for n in range(1_000)]


@pytest.fixture
def pooled(web_database: str) -> Iterator[str]:
    """Give the database's address at a PgBouncer with few connections."""
    with pgbouncer(web_database, pool=POOL) as url:
        yield url


@pytest.mark.parametrize("prepared", ["off", "on"])
def test_many_readers_and_a_load_share_few_connections(
    web_database: str, pooled: str, prepared: str
) -> None:
    app = create_app({"DATABASE_URL": pooled})
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(*(package_day(name) for name in NAMES)))
    web = Web(DATABASE_URL=pooled, WEB_CONCURRENCY="2", PREPARED_STATEMENTS=prepared)
    loaded = threading.Event()

    def read(names: list[str]) -> list[int]:
        seen = []
        while not loaded.is_set():
            for name in names:
                reply = get(web.port, f"/api/packages/{name}/system?part={len(seen)}")
                assert reply.status == 200, reply.body
                seen += [point["downloads"] for point in orjson.loads(reply.body)["data"]]
                assert get(web.port, f"/packages/{name}").status == 200
        return seen

    try:
        with ThreadPoolExecutor(40) as pool:
            readers = [pool.submit(read, NAMES[n::40]) for n in range(40)]
            for downloads in range(11, 16):
                rows = (package_day(name, downloads=downloads) for name in NAMES)
                with app.app_context():
                    ingest.ingest_day(DAY, FixedSource(*rows))
            used, locks = at_the_server(web_database)
            loaded.set()
            seen = [reader.result() for reader in readers]
    finally:
        loaded.set()
        web.end()
        with app.app_context():
            db.engine.dispose()

    assert 2 < used <= POOL
    assert locks == 0
    assert {count for counts in seen for count in counts} <= set(range(10, 16))
    assert all(counts[0] <= counts[-1] for counts in seen)


def at_the_server(url: str) -> tuple[int, int]:
    """Return how many of our sessions the server has, and how many advisory locks."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from pg_stat_activity where application_name = 'pypistats'),"
            " (select count(*) from pg_locks where locktype = 'advisory')"
        )
        row = cursor.fetchone()
    connection.close()
    assert row
    return row
