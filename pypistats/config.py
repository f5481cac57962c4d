"""Every setting: its variable, its default and what it means.

The environment is read in one place, by `load_config`, and a value that can't be is refused at
the start, with its variable's name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

GIB = 2**30


class ConfigError(Exception):
    """A setting is missing or has a value that it can't have; the message names the variable."""


def _text(value: str) -> str:
    return value


def _whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and lowest <= int(value) <= highest):
            raise ValueError(f"a whole number from {lowest:,} to {highest:,}")
        return int(value)

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return value

    return parse


def _database_url(value: str) -> str:
    """Name the driver; Heroku's `postgres://` and a plain `postgresql://` both mean psycopg2."""
    scheme, separator, rest = value.partition("://")
    if scheme not in ("postgres", "postgresql", "postgresql+psycopg2") or not separator or not rest:
        raise ValueError("postgresql://USER:PASSWORD@HOST:PORT/NAME")
    return f"postgresql+psycopg2://{rest}"


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s]+/?", value):
        raise ValueError("https://HOST:PORT, or http://, without a path")
    return value.rstrip("/")


def _redis_url(value: str) -> str:
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("redis://:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS")
    return value


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable of the environment; `default` None means that it may be absent."""

    variable: str
    default: str | None
    meaning: str
    parse: Callable[[str], Any] = _text
    required: bool = False

    def read(self, environ: Mapping[str, str]) -> Any:
        """Return the parsed value. An empty variable counts as an absent one."""
        value = environ.get(self.variable) or self.default
        if value is None:
            if self.required:
                raise ConfigError(f"{self.variable} is not set. It takes {self.meaning}")
            return None
        try:
            return self.parse(value)
        except ValueError as error:
            raise ConfigError(
                f"{self.variable} can't be what it is set to: it takes {error}"
            ) from None


SETTINGS = (
    Setting(
        "DATABASE_URL",
        None,
        "the address of the PostgreSQL database; without it `make run` starts one of its own",
        _database_url,
        required=True,
    ),
    Setting(
        "REDIS_URL",
        None,
        "the address of a server that speaks Redis's protocol, for the cache and the task queue;"
        " without it each process keeps its own cache, `worker` and `beat` don't run, and"
        " `make run` starts a Valkey",
        _redis_url,
    ),
    Setting(
        "SOURCE",
        "bigquery",
        "where the schedule gets its days from; with `none` it does nothing",
        _one_of("bigquery", "sample", "none"),
    ),
    Setting(
        "SCHEDULE_SECONDS",
        "60",
        "how often the schedule looks for days to load; how often each is tried is its own matter",
        _whole_number(1, 3_600),
    ),
    Setting(
        "RETENTION_DAYS",
        "180",
        "how many days the pages and the API reach back from the last loaded day",
        _whole_number(1, 36_500),
    ),
    Setting(
        "BIGQUERY_PROJECT",
        None,
        "the Google Cloud project that queries are billed to; by default the credentials' own",
    ),
    Setting(
        "BIGQUERY_CREDENTIALS",
        None,
        "a service account's JSON or its base64; without it Google's own look-up applies, "
        "`GOOGLE_APPLICATION_CREDENTIALS` first",
    ),
    Setting(
        "BIGQUERY_MAX_BYTES_PER_DAY",
        str(512 * GIB),
        "the bytes that a query may read for each day it covers; one that needs more is not run",
        _whole_number(1, 2**60),
    ),
    Setting(
        "CLICKHOUSE_URL",
        "https://sql-clickhouse.clickhouse.com",
        "the HTTP address of a ClickHouse with ClickPy's tables; by default the public one",
        _http_url,
    ),
    Setting("CLICKHOUSE_USER", "demo", "the user there; one who may only read is enough"),
    Setting("CLICKHOUSE_PASSWORD", None, "that user's password; the public one has none"),
    Setting("CLICKHOUSE_DATABASE", "pypi", "the database that holds the tables there"),
    Setting(
        "HOST",
        "0.0.0.0",  # noqa: S104
        "the address gunicorn listens on; `make run` sets 127.0.0.1",
    ),
    Setting("PORT", "5000", "the port gunicorn listens on", _whole_number(1, 65_535)),
    Setting("WEB_CONCURRENCY", "2", "gunicorn's worker processes", _whole_number(1, 1_000)),
    Setting("WORKER_CONCURRENCY", "2", "tasks that `worker` does at once", _whole_number(1, 1_000)),
    Setting("WEB_THREADS", "4", "threads in each worker process", _whole_number(1, 1_000)),
)


def load_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return all settings by variable name. Raises ConfigError for the first that can't be."""
    return {setting.variable: setting.read(environ) for setting in SETTINGS}
