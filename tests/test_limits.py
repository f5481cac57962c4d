"""How much one client may ask for."""

import os
import signal
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pypistats import create_app
from pypistats.config import Quota
from pypistats.embedded import ValkeyServer
from pypistats.limits import Cost, _Window, spend

DAY_SECONDS = 86_400
TOKEN = "correct-horse-battery"
RECENT = "/api/packages/__all__/recent"


def limited_app(database_url: str, **settings: str) -> Flask:
    """Build an app with the settings, in which /api/<cost> spends one answer of that cost."""
    app = create_app({"DATABASE_URL": database_url} | settings)

    @app.get("/api/spend/<cost>")
    def spender(cost: str) -> str:
        spend(Cost(cost))
        return "spent"

    return app


def statuses(client: FlaskClient, path: str, times: int, **options: object) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(times)]


def remaining(response: TestResponse) -> list[str]:
    """Return the members of `RateLimit` without their times."""
    return [member.rpartition(";t=")[0] for member in response.headers["RateLimit"].split(", ")]


def test_an_answer_tells_what_remains_in_the_drafts_fields(database_url: str) -> None:
    settings = {"RATE_LIMIT_CACHED": "3/86400", "RATE_LIMIT_COMPUTED": "off"}
    client = limited_app(database_url, **settings).test_client()

    first, second = client.get(RECENT), client.get(RECENT)

    assert first.headers["RateLimit-Policy"] == '"cached";q=3;w=86400'
    assert remaining(first) == ['"cached";r=2']
    assert remaining(second) == ['"cached";r=1']
    assert 0 < int(first.headers["RateLimit"].rpartition("t=")[2]) <= DAY_SECONDS


@pytest.mark.parametrize("cost", Cost)
def test_each_cost_has_its_own_quota(database_url: str, cost: Cost) -> None:
    client = limited_app(database_url, **{f"RATE_LIMIT_{cost.name}": "2/86400"}).test_client()
    path = f"/api/spend/{cost}"
    # A request for any cost is a request: it counts as cached before its cost is known.
    allowed = 1 if cost is Cost.CACHED else 2

    assert statuses(client, path, 3) == [200] * allowed + [429] * (3 - allowed)

    refused = client.get(path)
    assert '"cached";q=' in refused.headers["RateLimit-Policy"]
    assert f'"{cost}";q=2;w=86400' in refused.headers["RateLimit-Policy"]
    assert f'"{cost}";r=0' in remaining(refused)


def test_a_refusal_is_json_under_api_and_says_when_to_come_back(database_url: str) -> None:
    client = limited_app(database_url, RATE_LIMIT_CACHED="1/86400").test_client()
    client.get(RECENT)

    response = client.get(RECENT)

    seconds = int(response.headers["Retry-After"])
    assert 0 < seconds <= DAY_SECONDS
    assert response.status_code == 429
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json == {
        "error": {
            "status": 429,
            "name": "Too Many Requests",
            "message": "One client may have 1 answers in 86,400 seconds."
            f" Ask again in {seconds:,} seconds.",
            "parameter": None,
        }
    }


def test_a_refusal_is_a_badge_where_badges_are_and_else_a_page(database_url: str) -> None:
    client = limited_app(database_url, RATE_LIMIT_CACHED="1/86400").test_client()
    client.get("/")

    page, badge = client.get("/"), client.get("/badge/flask.svg")

    assert (page.status_code, page.mimetype) == (429, "text/html")
    assert "Too Many Requests" in page.text
    assert (badge.status_code, badge.mimetype) == (429, "image/svg+xml")
    assert page.headers["Cache-Control"] == badge.headers["Cache-Control"] == "no-store"
    assert ">too many requests<" in badge.text


@pytest.mark.parametrize("path", ["/health", "/ready", "/static/site.css"])
def test_what_monitors_and_browsers_repeat_is_not_counted(database_url: str, path: str) -> None:
    client = limited_app(database_url, RATE_LIMIT_CACHED="1/86400").test_client()

    assert 429 not in statuses(client, path, 3)
    assert client.get(RECENT).status_code == 200


def test_a_quota_can_be_switched_off(database_url: str) -> None:
    settings = {"RATE_LIMIT_CACHED": "off", "RATE_LIMIT_COMPUTED": "off"}
    client = limited_app(database_url, **settings).test_client()

    assert "RateLimit" not in client.get(RECENT).headers
    assert "RateLimit" not in client.get(RECENT).headers


def test_the_defaults_are_beyond_what_a_busy_server_asks(database_url: str) -> None:
    config = create_app({"DATABASE_URL": database_url}).config

    quotas = {cost: config[f"RATE_LIMIT_{cost.name}"] for cost in Cost}
    assert quotas == {
        "cached": Quota(30_000, 10),
        "computed": Quota(10_000, 10),
        "render": Quota(120, 60),
        "fetch": Quota(30, 3_600),
    }


@pytest.mark.parametrize(
    ("cost", "path"),
    [
        (Cost.CACHED, RECENT),
        (Cost.COMPUTED, "/api/spend/computed"),
        (Cost.RENDER, "/api/spend/render"),
    ],
)
def test_a_token_raises_the_quota_or_ends_it(database_url: str, cost: Cost, path: str) -> None:
    tokens = f"{TOKEN}=2, {TOKEN}-2=exempt"
    client = limited_app(
        database_url, RATE_LIMIT_TOKENS=tokens, **{f"RATE_LIMIT_{cost.name}": "2/86400"}
    ).test_client()

    def bearing(authorization: str) -> list[int]:
        return statuses(client, path, 5, headers={"Authorization": authorization})

    assert bearing(f"Bearer {TOKEN}") == [200] * 4 + [429]
    assert bearing(f"bearer {TOKEN}-2") == [200] * 5
    assert bearing(f"Bearer {TOKEN}-3") == [200] * 2 + [429] * 3
    # Another wrong token is the same address again.
    assert bearing(f"Basic {TOKEN}") == [429] * 5


@pytest.mark.parametrize(
    ("proxies", "forwarded", "counted_apart"),
    [
        ("0", ["1.1.1.1", "2.2.2.2"], False),
        ("1", ["1.1.1.1", "2.2.2.2"], True),
        ("1", ["1.1.1.1, 9.9.9.9", "2.2.2.2, 9.9.9.9"], False),
        ("2", ["1.1.1.1, 9.9.9.9", "2.2.2.2, 9.9.9.9"], True),
        ("2", ["5.5.5.5, 1.1.1.1, 9.9.9.9", "6.6.6.6, 1.1.1.1, 9.9.9.9"], False),
        ("1", ["2001:db8::1", "2001:db8::ffff"], False),
        ("1", ["2001:db8::1", "2001:db8:0:1::1"], True),
        ("1", ["::ffff:1.1.1.1", "::ffff:2.2.2.2"], True),
        ("1", ["::ffff:1.1.1.1", "1.1.1.1"], False),
        ("1", ["nonsense:", "other nonsense:"], True),
    ],
)
def test_only_trusted_proxies_tell_who_asks(
    database_url: str, proxies: str, forwarded: list[str], counted_apart: bool
) -> None:
    client = limited_app(
        database_url, TRUSTED_PROXIES=proxies, RATE_LIMIT_CACHED="1/86400"
    ).test_client()

    first, second = (
        client.get(RECENT, headers={"X-Forwarded-For": addresses}).status_code
        for addresses in forwarded
    )

    assert (first, second) == (200, 200 if counted_apart else 429)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "scheme"),
    [
        ("0", "https", "http"),
        ("1", "https", "https"),
        ("1", "http", "http"),
        ("1", "http, https", "https"),
        ("1", "https, http", "http"),
        ("2", "https", "https"),
        ("2", "http,https", "https"),
        ("1", "javascript", "http"),
        ("1", "https, javascript", "http"),
        ("2", "javascript, https", "https"),
        ("1", "ftp://evil.example/?", "http"),
        ("1", "", "http"),
    ],
)
def test_the_last_proxy_says_whether_a_client_came_by_https(
    database_url: str, proxies: str, forwarded: str, scheme: str
) -> None:
    client = limited_app(database_url, TRUSTED_PROXIES=proxies).test_client()

    text = client.get("/robots.txt", headers={"X-Forwarded-Proto": forwarded}).text

    assert f"Sitemap: {scheme}://localhost/sitemap.xml\n" in text


def test_dear_answers_are_counted_for_all_processes_and_cheap_ones_for_each(
    database_url: str, valkey_server: ValkeyServer
) -> None:
    settings = {
        "REDIS_URL": valkey_server.url,
        "RATE_LIMIT_COMPUTED": "2/86400",
        "RATE_LIMIT_FETCH": "2/86400",
    }
    first, second = (limited_app(database_url, **settings).test_client() for _ in range(2))

    assert statuses(first, "/api/spend/fetch", 2) == [200, 200]
    assert statuses(second, "/api/spend/fetch", 1) == [429]
    assert statuses(first, "/api/spend/computed", 2) == [200, 200]
    assert statuses(second, "/api/spend/computed", 1) == [200]


def test_each_process_counts_by_itself_once_redis_was_killed(
    database_url: str, tmp_path: Path
) -> None:
    server = ValkeyServer(tmp_path)
    server.start()
    try:
        with redis.Redis.from_url(server.url) as connection:
            process = connection.info("server")["process_id"]
        client = limited_app(
            database_url, REDIS_URL=server.url, RATE_LIMIT_RENDER="2/86400"
        ).test_client()
        assert statuses(client, "/api/spend/render", 3) == [200, 200, 429]

        os.kill(process, signal.SIGKILL)

        assert statuses(client, "/api/spend/render", 3) == [200, 200, 429]
        assert client.get(RECENT).status_code == 200
    finally:
        server.stop()


def test_a_window_counts_anew_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    window, quota = _Window(), Quota(2, 10)
    results = []
    for now in (100.0, 104.9, 109.0, 110.0):
        monkeypatch.setattr("pypistats.limits.time.time", lambda now=now: now)
        results.append(window.count("client", quota))

    assert results == [(1, 10), (0, 6), (-1, 1), (1, 10)]
