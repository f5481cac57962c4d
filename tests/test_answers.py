"""An answer is made once for a revision of the data, by one of all threads and processes."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from flask import Flask
from psycopg2 import OperationalError
from werkzeug.exceptions import TooManyRequests
from werkzeug.test import TestResponse

from pypistats.answers import MOMENT, _files
from pypistats.embedded import ValkeyServer
from pypistats.encodings import decompress
from pypistats.errors import ParameterError
from pypistats.extensions import db
from pypistats.queries import PackageNotFoundError
from tests.made import Maker, app_with, bump

FAILURE = OperationalError("the database is away")


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def site(app: Flask, maker: Maker) -> Iterator[Flask]:
    """Give a site without Redis."""
    site = app_with(maker, app.config["DATABASE_URL"])
    yield site
    close(site)


@pytest.fixture
def sharing(app: Flask, maker: Maker, valkey_server: ValkeyServer) -> Iterator[list[Flask]]:
    """Give two sites, as two processes would have them, on one empty Valkey."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    url = app.config["DATABASE_URL"]
    sites = [app_with(maker, url, REDIS_URL=valkey_server.url) for _ in range(2)]
    yield sites
    for site in sites:
        close(site)


def close(site: Flask) -> None:
    with site.app_context():
        db.engine.dispose()


def made(site: Flask, path: str = "/made/flask", status: int = 200) -> object:
    response = site.test_client().get(path)
    assert response.status_code == status, response.text
    return response.json["made"] if status == 200 else None


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_answer_is_made_once(site: Flask) -> None:
    assert [made(site) for _ in range(3)] == [1, 1, 1]


def test_other_spellings_and_parameters_share_it_or_do_not(site: Flask) -> None:
    paths = ["/made/flask", "/made/Flask", "/made/FLASK?utm=1", "/made/flask?part=a"]

    assert [made(site, path) for path in [*paths, *paths]] == [1, 1, 1, 2] * 2


def test_a_change_of_all_has_it_made_anew(site: Flask) -> None:
    made(site)

    bump(site)

    assert [made(site), made(site)] == [2, 2]


def test_a_change_of_its_package_has_it_made_anew_and_of_another_does_not(site: Flask) -> None:
    made(site)

    bump(site, "requests")
    assert made(site) == 1
    bump(site, "flask", "__all__")
    assert [made(site), made(site)] == [2, 2]


def test_a_change_that_is_rolled_back_changes_nothing(site: Flask) -> None:
    made(site)

    with site.app_context():
        db.session.execute(db.text("update data_revision set latest = latest + 1"))
        db.session.rollback()

    assert made(site) == 1


def test_what_cannot_be_made_now_is_given_as_it_was_before(site: Flask, maker: Maker) -> None:
    made(site)
    bump(site)
    maker.error = FAILURE

    response = site.test_client().get("/made/flask")

    assert (response.status_code, response.json) == (200, {"made": 1})
    assert response.headers["Cache-Control"].startswith("public, max-age=0, s-maxage=10,")


def test_what_says_itself_how_long_it_may_be_kept_does_not_once_it_is_from_before(
    site: Flask, maker: Maker
) -> None:
    maker.headers = {"Cache-Control": MOMENT}
    client = site.test_client()
    fresh = [client.get("/made/flask").headers["Cache-Control"] for _ in range(2)]
    bump(site)
    maker.error = FAILURE

    stale = client.get("/made/flask").headers["Cache-Control"]

    assert fresh == [MOMENT, MOMENT]
    assert stale.startswith("public, max-age=0, s-maxage=10,")


def test_while_it_fails_it_is_not_tried_for_each_client(site: Flask, maker: Maker) -> None:
    made(site)
    bump(site)
    maker.error = FAILURE

    made(site)
    made(site)

    assert maker.tries() == 2


def test_what_was_never_made_fails(site: Flask, maker: Maker) -> None:
    maker.error = FAILURE

    made(site, status=503)


def test_an_error_of_the_clients_is_given_even_if_there_was_an_answer(
    site: Flask, maker: Maker
) -> None:
    made(site)
    bump(site)
    maker.error = ParameterError("part", "something else")

    made(site, status=400)
    maker.error = None
    assert made(site) == 2


def test_bypassing_makes_it_for_this_client_alone(site: Flask) -> None:
    made(site)

    response = site.test_client().get("/made/flask?nocache=1")

    assert response.json == {"made": 2}
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers
    assert made(site) == 1


def test_a_stampede_on_a_cold_answer_makes_it_once(site: Flask, maker: Maker) -> None:
    maker.gate.clear()
    with ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(made, site) for _ in range(200)]
        assert maker.started.acquire(timeout=60)
        maker.gate.set()

    assert [answer.result() for answer in answers] == [1] * 200


def test_a_stampede_on_what_fails_fails_together(site: Flask, maker: Maker) -> None:
    maker.gate.clear()
    maker.error = FAILURE
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(made, site, status=503) for _ in range(20)]
        assert maker.started.acquire(timeout=60)
        maker.gate.set()

    assert [answer.result() for answer in answers] == [None] * 20


@pytest.mark.parametrize(
    ("error", "status", "least", "most"),
    [(PackageNotFoundError("flask"), 404, 1, 10), (TooManyRequests(), 429, 20, 20)],
    ids=["an unknown package is unknown to all", "who may ask for no more stops no other"],
)
def test_a_stampede_on_what_is_refused(
    site: Flask, maker: Maker, *, error: Exception, status: int, least: int, most: int
) -> None:
    maker.gate.clear()
    maker.error = error
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(made, site, "/made/flask?place=1", status) for _ in range(20)]
        for _ in answers:
            assert maker.placed.acquire(timeout=60)
        maker.gate.set()

    assert [answer.result() for answer in answers] == [None] * 20
    # A thread with a place that is slow to wait may find that all is over, and ask again.
    assert least <= maker.tries() <= most


def test_answers_that_take_long_hold_up_no_other(site: Flask, maker: Maker) -> None:
    maker.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(made, site, f"/made/flask?part={part}") for part in range(4)]
        assert all(maker.started.acquire(timeout=60) for _ in asked)
        maker.gate.set()

    assert sorted(answer.result() for answer in asked) == [1, 2, 3, 4]


def test_a_thread_that_asks_after_a_change_is_not_given_the_answer_from_before(
    site: Flask, maker: Maker
) -> None:
    maker.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(made, site)
        assert maker.started.acquire(timeout=60)
        bump(site)
        after = pool.submit(made, site)
        assert maker.started.acquire(timeout=60)
        maker.gate.set()

    assert {before.result(), after.result()} == {1, 2}


def test_processes_share_an_answer(sharing: list[Flask]) -> None:
    assert [made(site) for site in [*sharing, *sharing]] == [1, 1, 1, 1]

    bump(sharing[0])

    assert [made(site) for site in [*sharing, *sharing]] == [2, 2, 2, 2]


def test_what_another_process_has_made_anew_is_not_from_before(sharing: list[Flask]) -> None:
    path = "/made/flask?place=1"
    made(sharing[0], path)
    bump(sharing[0])
    until(lambda: made(sharing[0], path) == 2)

    response = sharing[1].test_client().get(path)

    assert response.json == {"made": 2}
    assert response.headers["Cache-Control"].startswith("public, max-age=300,")


@pytest.mark.parametrize(
    ("setting", "value", "count"),
    [
        ("RETENTION_DAYS", "30", 2),
        ("INGEST_SCOPE", "tracked", 2),
        ("DATABASE_URL", "{DATABASE_URL}?application_name=another", 2),
        ("ANSWERS_MIB", "9", 1),
    ],
)
def test_a_site_shares_answers_with_those_of_its_settings(
    sharing: list[Flask], maker: Maker, *, setting: str, value: str, count: int
) -> None:
    config = sharing[0].config
    settings = {"REDIS_URL": config["REDIS_URL"], setting: value.format(**config)}
    other = app_with(maker, config["DATABASE_URL"], **settings)

    assert [made(site) for site in (sharing[0], other, sharing[1])] == [1, count, 1]
    close(other)


def test_another_release_makes_its_own_answers(
    sharing: list[Flask], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.py"
    changed.write_text("pass")
    before, after = sharing
    assert made(before) == 1

    monkeypatch.setattr("pypistats.answers._files", lambda app: [*_files(app), changed])

    assert [made(after), made(before)] == [2, 1]


def test_a_release_is_told_by_all_that_answers_are_made_of(site: Flask) -> None:
    root = Path(site.root_path).parent
    files = {path.relative_to(root).as_posix() for path in _files(site)}

    assert files > {
        "pypistats/kept.py",
        "pypistats/sources/pypi.py",
        "templates/base.html",
        "static/site.css",
        "openapi.yaml",
    }
    assert not [name for name in files if name.endswith(".pyc")]


def test_processes_make_it_once_together(sharing: list[Flask], maker: Maker) -> None:
    maker.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(made, site) for site in sharing for _ in range(10)]
        assert maker.started.acquire(timeout=60)
        maker.gate.set()

    assert [answer.result() for answer in answers] == [1] * 20


def test_another_process_gives_the_answer_from_before(sharing: list[Flask], maker: Maker) -> None:
    made(sharing[0])
    bump(sharing[0])
    maker.error = FAILURE

    assert made(sharing[1]) == 1


def test_a_shared_answer_is_the_same_to_the_byte(sharing: list[Flask]) -> None:
    first, second = (
        site.test_client().get("/made/flask", headers={"Accept-Encoding": "gzip"})
        for site in sharing
    )

    assert first.data == second.data
    differing = {"RateLimit", "RateLimit-Policy"}
    assert {name: value for name, value in first.headers if name not in differing} == {
        name: value for name, value in second.headers if name not in differing
    }


def test_only_compressed_bytes_are_kept_of_what_was_asked_for_compressed(
    sharing: list[Flask], valkey_server: ValkeyServer
) -> None:
    first, second = (site.test_client() for site in sharing)
    plain = first.get("/faqs")
    compressed = first.get("/faqs", headers={"Accept-Encoding": "br"})
    with redis.Redis.from_url(valkey_server.url) as client:
        (key,) = client.keys("pypistats:*")
        kept = client.strlen(key)

    others = [
        client.get("/faqs", headers={"Accept-Encoding": encoding})
        for encoding in ("gzip", "zstd", "br", "")
        for client in (second, first)
    ]

    assert len(compressed.data) < kept < len(plain.data) / 2
    assert [decoded(answer) for answer in (compressed, *others)] == [plain.data] * 9
    assert {answer.headers["ETag"] for answer in others[-2:]} == {plain.headers["ETag"]}


def test_an_answer_goes_to_redis_once_as_its_first_client_takes_it(
    sharing: list[Flask], valkey_server: ValkeyServer
) -> None:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.config_resetstat()
        first = sharing[0].test_client().get("/faqs", headers={"Accept-Encoding": "br"})
        # One is for the claim to make it.
        assert client.info("commandstats")["cmdstat_set"]["calls"] == 2
        (key,) = client.keys("pypistats:*")
        assert client.get(key).endswith(first.data)

    plain = sharing[1].test_client().get("/faqs")
    assert plain.data == decoded(first)
    assert plain.headers["ETag"] == first.headers["ETag"].replace("-br", "")


def decoded(answer: TestResponse) -> bytes:
    if answer.content_encoding is None:
        return answer.data
    return decompress(answer.data, answer.content_encoding)


def test_without_its_redis_a_site_is_as_good_as_alone(
    app: Flask, maker: Maker, tmp_path: Path
) -> None:
    server = ValkeyServer(tmp_path)
    server.start()
    site = app_with(maker, app.config["DATABASE_URL"], REDIS_URL=server.url)
    assert made(site, "/made/a") == 1
    server.stop()

    assert [made(site, path) for path in ("/made/a", "/made/b", "/made/b")] == [1, 2, 2]
    bump(site)
    assert made(site, "/made/a") == 3
    close(site)


@pytest.mark.parametrize(
    ("path", "left"),
    [("/made/flask", range(3_001)), ("/made/django?place=1", range(3_001, 30_001))],
)
def test_a_claim_lasts_about_as_long_as_what_is_made_may_take(
    sharing: list[Flask], valkey_server: ValkeyServer, maker: Maker, path: str, left: range
) -> None:
    maker.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(made, sharing[0], path)
        assert maker.started.acquire(timeout=60)
        with redis.Redis.from_url(valkey_server.url) as client:
            (claim,) = client.keys("*:claim")
            assert client.pttl(claim) in left
        maker.gate.set()

    assert answer.result() == 1


def test_an_answer_is_kept_in_memory_only_where_there_is_room(app: Flask, maker: Maker) -> None:
    site = app_with(maker, app.config["DATABASE_URL"], ANSWERS_MIB="1")
    names = [f"p{n}" for n in range(1_000)]

    assert [made(site, f"/made/{name}") for name in names] == list(range(1, 1_001))

    assert made(site, "/made/p999") == 1_000
    assert made(site, "/made/p0") == 1_001
    assert 0 < len(site.extensions["answers"].front) < 600
    close(site)


def test_an_address_that_takes_much_memory_is_not_remembered(site: Flask) -> None:
    front = site.extensions["answers"].front

    assert made(site, "/made/flask?unknown=1") == made(site, f"/made/flask?unknown={'1' * 2_000}")
    assert len(front) == 1


def test_threads_do_not_see_each_others_answers(site: Flask) -> None:
    names = [f"p{n}" for n in range(8)]
    started = threading.Barrier(len(names))

    def ask(name: str) -> set[object]:
        started.wait(60)
        return {made(site, f"/made/{name}") for _ in range(20)}

    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(ask, names))

    assert all(len(answer) == 1 for answer in answers)
    assert len(set.union(*answers)) == len(names)
