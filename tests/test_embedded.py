"""The servers of one's own: started, found again, stopped, and told when they can't be."""

import stat
from pathlib import Path

import psycopg2
import pytest
import redis

from pypistats.embedded import EmbeddedServerError, PostgresServer, ValkeyServer


def test_postgresql_keeps_its_data_over_a_stop(open_folder: Path) -> None:
    server = PostgresServer(open_folder / "postgres")
    server.start()
    with psycopg2.connect(server.url) as connection, connection.cursor() as cursor:
        cursor.execute("create table kept ()")
    connection.close()
    server.stop()

    again = PostgresServer(open_folder / "postgres")
    again.start()
    connection = psycopg2.connect(again.url)
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('kept')")
        assert cursor.fetchone() == ("kept",)
    connection.close()
    again.stop()


def test_postgresql_wants_its_password(postgres_server: PostgresServer) -> None:
    password = postgres_server.url.split(":")[2].split("@")[0]

    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(postgres_server.url.replace(password, "guessed"))


def test_postgresql_under_a_closed_home_is_let_through(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    server = PostgresServer(home / "checkout" / "var" / "postgres")

    server.start()
    server.stop()

    if server.opened:  # as root; a user's own server needs nothing opened
        assert home in server.opened
        assert stat.S_IMODE(home.stat().st_mode) == 0o711
    else:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_postgresql_that_can_not_start_says_why(open_folder: Path) -> None:
    folder = open_folder / "postgres"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "something").touch()

    with pytest.raises(EmbeddedServerError, match=r"initdb failed:\n.*not empty"):
        PostgresServer(folder).start()


def test_stopping_what_never_ran_does_nothing(open_folder: Path) -> None:
    PostgresServer(open_folder / "postgres").stop()
    ValkeyServer(open_folder / "valkey").stop()

    assert list(open_folder.iterdir()) == []


def test_a_full_valkey_drops_what_has_a_time_to_live_and_no_message(open_folder: Path) -> None:
    server = ValkeyServer(open_folder)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.lpush("queue", "message")
        client.config_set("maxmemory", 5 * 2**20)
        for number in range(100):
            client.set(f"answer {number}", bytes(100_000), ex=3_600)

        assert client.lrange("queue", 0, -1) == [b"message"]
        assert 0 < len(client.keys("answer *")) < 100
    server.stop()


def test_valkey_wants_its_password_and_forgets_all_when_stopped(open_folder: Path) -> None:
    server = ValkeyServer(open_folder)
    server.start()
    url = server.url
    with redis.Redis.from_url(url) as client:
        client.set("key", "value")
    guess = url.replace(url.split(":")[2], "guessed@127.0.0.1")
    with redis.Redis.from_url(guess) as client, pytest.raises(redis.AuthenticationError):
        client.ping()

    server.start()

    with redis.Redis.from_url(server.url) as client:
        assert client.get("key") is None
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    server.stop()
    assert list(open_folder.glob("dump*")) == []
