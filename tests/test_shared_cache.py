"""The cache that processes share, on a real Valkey that comes and goes."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
import redis

from pypistats.embedded import ValkeyServer
from pypistats.shared_cache import TIMEOUT, Claim, SharedCache


@pytest.fixture
def url(valkey_server: ValkeyServer) -> str:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture
def cache(url: str) -> SharedCache:
    return SharedCache(url)


def take(cache: SharedCache, claim: Claim, mark: bytes = b"1 ") -> bytes | bool:
    return cache.get_or_claim(claim, mark, seconds=30)


def test_what_is_set_is_there_until_it_expires_or_is_deleted(cache: SharedCache, url: str) -> None:
    assert cache.get("key") is None

    assert cache.set("key", b"value", 60)

    assert cache.get("key") == b"value"
    with redis.Redis.from_url(url) as client:
        assert 0 < client.ttl("pypistats:key") <= 60
    assert cache.delete("key")
    assert not cache.delete("key")
    assert cache.get("key") is None


def test_one_holds_the_claim_to_what_is_missing(cache: SharedCache) -> None:
    first, second = Claim("key"), Claim("key")

    assert take(cache, first) is True
    assert take(cache, second) is False
    cache.finish(first, b"1 value", seconds=60)

    assert take(cache, second) == b"1 value"


def test_what_bears_another_mark_is_missing_and_stays_until_it_is_replaced(
    cache: SharedCache,
) -> None:
    cache.set("key", b"1 value", 60)
    claim = Claim("key")

    assert take(cache, claim, b"2 ") is True
    assert cache.get("key") == b"1 value"
    cache.finish(claim, b"2 value", seconds=60)

    assert take(cache, Claim("key"), b"2 ") == b"2 value"


def test_a_claim_given_up_is_another_s(cache: SharedCache) -> None:
    first, second = Claim("key"), Claim("key")
    take(cache, first)

    cache.give_up(first)

    assert take(cache, second) is True


def test_a_claim_of_one_who_died_expires(cache: SharedCache) -> None:
    first, second = Claim("key"), Claim("key")
    cache.get_or_claim(first, b"1 ", seconds=0.05)

    deadline = time.monotonic() + 30
    while take(cache, second) is not True:
        assert time.monotonic() < deadline
    # What the first does late, with its claim void, leaves the second's alone.
    cache.give_up(first)

    assert take(cache, Claim("key")) is False


def test_without_a_server_nothing_is_kept_and_everyone_has_a_claim() -> None:
    cache = SharedCache(None)

    assert not cache.set("key", b"value", 60)
    assert cache.get("key") is None
    assert take(cache, Claim("key")) is True
    assert take(cache, Claim("key")) is True


def test_a_server_that_stops_and_goes_on_is_used_again(url: str) -> None:
    cache = SharedCache(url, pause=0)
    cache.set("key", b"value", 60)
    with redis.Redis.from_url(url) as client:
        process = client.info()["process_id"]

    os.kill(process, signal.SIGSTOP)
    try:
        assert cache.get("key") is None
        assert take(cache, Claim("key")) is True
        assert not cache.set("key", b"other", 60)
    finally:
        os.kill(process, signal.SIGCONT)

    deadline = time.monotonic() + 30
    while not cache.set("key", b"third", 60):
        assert time.monotonic() < deadline
    assert cache.get("key") == b"third"


def test_a_connection_that_the_server_has_ended_is_replaced(cache: SharedCache, url: str) -> None:
    cache.set("key", b"value", 60)
    with redis.Redis.from_url(url) as client:
        assert client.client_kill_filter(_type="normal", skipme=True) > 0

    assert cache.get("key") == b"value"


def test_a_server_that_is_gone_is_done_without(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path)
    server.start()
    cache = SharedCache(server.url)
    assert cache.set("key", b"value", 60)

    server.stop()

    assert cache.get("key") is None
    assert take(cache, Claim("key")) is True
    assert not cache.set("key", b"value", 60)


def test_a_server_that_hangs_is_waited_for_once_in_a_while() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cache = SharedCache(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        began = time.monotonic()
        assert [cache.get("key") for _ in range(100)] == [None] * 100

    # A hundred waits would be 25 seconds; connecting waits once for each of its questions.
    assert time.monotonic() - began < 40 * TIMEOUT
