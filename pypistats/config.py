"""The settings of the site and its processes: each one's variable, default and meaning.

They are read in one place, by `load_config`, and a value that can't be is refused at the start,
with its variable's name. What only development needs is read where it is used: the folder of
`make run` (launcher.py), the browser that a machine is set up with (browser_setup.py, which takes
BROWSER_PATH as well) and the address of a BigQuery emulator (sources/bigquery_clients.py).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from pypistats.catalog import InvalidNameError, Period, normalize_name

GIB = 2**30


class Quota(NamedTuple):
    """How many answers a client may have in so many seconds."""

    amount: int
    seconds: int


class ConfigError(click.ClickException):
    """A setting is missing or has a value that it can't have; the message names the variable.

    It is one of click's so that a command tells it in a line and exits with 1.
    """


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


def _names_file(value: str) -> tuple[str, ...]:
    """Return the normal names in a file; what follows a `#` is a comment."""
    try:
        lines = Path(value).read_text(encoding="utf-8").splitlines()
        words = (line.partition("#")[0].strip() for line in lines)
        return tuple(dict.fromkeys(normalize_name(word) for word in words if word))
    except (OSError, UnicodeDecodeError, InvalidNameError) as error:
        raise ValueError(f"a file of package names, one a line; {error}") from None


def _http_url(value: str) -> str:
    # Addresses are told: in links, and on /status where a server does not answer.
    if not re.fullmatch(r"https?://[^/?#@\s]+/?", value):
        raise ValueError("https://HOST:PORT, or http://, without a path, user or password")
    return value.rstrip("/")


def _http_url_or_none(value: str) -> str | None:
    return None if value == "none" else _http_url(value)


def _on_or_off(value: str) -> bool:
    return _one_of("on", "off")(value) == "on"


def _redis_url(value: str) -> str:
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("redis://:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS")
    return value


def _quota(value: str) -> Quota | None:
    amount, _, seconds = value.partition("/")
    if value == "off":
        return None
    try:
        return Quota(_whole_number(1, 10**9)(amount), _whole_number(1, 86_400)(seconds))
    except ValueError:
        raise ValueError("answers/seconds, such as 600/60, or off") from None


def _tokens(value: str) -> dict[str, int | None]:
    """Return the factor of each token, None for exempt, by the SHA-256 of the token."""
    factors: dict[str, int | None] = {}
    for entry in value.split(","):
        token, separator, factor = entry.strip().rpartition("=")
        if len(token) < 16 or not separator:
            raise ValueError("TOKEN=10,TOKEN=exempt, each token of 16 characters or more")
        digest = hashlib.sha256(token.encode()).hexdigest()
        factors[digest] = None if factor == "exempt" else _whole_number(1, 10_000)(factor)
    return factors


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
        "PREPARED_STATEMENTS",
        "on",
        "`off` where a pooler may give each statement of a connection another session, as PgBouncer"
        " does that pools by transaction",
        _on_or_off,
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
        _one_of("bigquery", "clickhouse", "sample", "none"),
    ),
    Setting(
        "INGEST_SCOPE",
        None,
        "`all` packages, or `tracked` for those that were asked for; without it `all`, and"
        " `tracked` where SOURCE is `clickhouse`",
        _one_of("all", "tracked"),
    ),
    Setting(
        "TRACKED_FILE",
        None,
        "a file of names, one a line, that are tracked before anyone asks",
        _names_file,
    ),
    Setting(
        "ON_DEMAND_WAIT",
        "8",
        "how many seconds a request waits for a package that is being fetched",
        _whole_number(0, 60),
    ),
    Setting(
        "SCHEDULE_SECONDS",
        "60",
        "how often the schedule looks for days to load; how often each is tried is its own matter",
        _whole_number(1, 3_600),
    ),
    Setting(
        "SITE_URL",
        None,
        "the address that people reach the site at, without a path, for links that leave it; by"
        " default that of the request",
        _http_url,
    ),
    Setting(
        "RETENTION_DAYS",
        "180",
        "how many days the pages and the API reach back from the last loaded day",
        # With fewer, the downloads of the last month would be of fewer days.
        _whole_number(Period.MONTH.days, 36_500),
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
        "BIGQUERY_DAILY_BUDGET",
        str(1024 * GIB),
        "the bytes that may be billed in a UTC day; what needs more waits for the next one",
        _whole_number(0, 2**60),
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
        "PYPI_URL",
        "https://pypi.org",
        "where `worker` reads what PyPI tells of a package; with `none` it does not",
        _http_url_or_none,
    ),
    Setting(
        "TRUSTED_PROXIES",
        "0",
        "how many proxies stand before the site; the sender is who the first of them names in"
        " `X-Forwarded-For`, the scheme what the last one names in `X-Forwarded-Proto`",
        _whole_number(0, 10),
    ),
    Setting(
        "RATE_LIMIT_CACHED",
        "30000/10",
        "the answers that one address may have in so many seconds from each web process, `off` for"
        " no limit",
        _quota,
    ),
    Setting(
        "RATE_LIMIT_COMPUTED",
        "10000/10",
        "those of them that no cache has, from each web process",
        _quota,
    ),
    Setting(
        "RATE_LIMIT_RENDER",
        "120/60",
        "pictures that are drawn for one address, by all processes together",
        _quota,
    ),
    Setting(
        "RATE_LIMIT_FETCH",
        "30/3600",
        "packages that are fetched for one address, by all processes together",
        _quota,
    ),
    Setting(
        "RATE_LIMIT_TOKENS",
        None,
        "`TOKEN=10,TOKEN=exempt`: who sends `Authorization: Bearer TOKEN` may have ten times as"
        " much, or all",
        _tokens,
    ),
    Setting(
        "ANSWERS_MIB",
        "8",
        "memory, in MiB, that each web process keeps answers in",
        _whole_number(1, 100_000),
    ),
    Setting(
        "REVISION_SECONDS",
        "1",
        "how long a web process believes that the data is as it last saw it; with 0 it asks the"
        " database each time",
        _whole_number(0, 3_600),
    ),
    Setting(
        "BROWSER_PATH",
        None,
        "the Chrome or Chromium that draws pictures of charts; by default the best one on `PATH`",
    ),
    Setting(
        "RENDER_SECONDS",
        "15",
        "the seconds that a picture may take, at most half of them waiting; then it answers 503",
        _whole_number(1, 300),
    ),
    Setting(
        "RENDER_PLACES",
        "9",
        "how many requests of a web process may wait for a picture; the next one answers 503 at"
        " once. Fewer than half of `WEB_THREADS`, so that other requests needn't wait",
        _whole_number(1, 1_000),
    ),
    Setting(
        "HOST",
        "0.0.0.0",  # noqa: S104
        "the address, or a name of it, that `web` listens on; `make run` sets 127.0.0.1",
    ),
    Setting("PORT", "5000", "the port that `web` listens on", _whole_number(1, 65_535)),
    Setting("WEB_CONCURRENCY", "2", "the web processes that answer", _whole_number(1, 1_000)),
    Setting("WORKER_CONCURRENCY", "2", "tasks that `worker` does at once", _whole_number(1, 1_000)),
    Setting("WEB_THREADS", "20", "threads in each worker process", _whole_number(1, 1_000)),
)


def load_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return all settings by variable name. Raises ConfigError for the first that can't be."""
    config = {setting.variable: setting.read(environ) for setting in SETTINGS}
    if config["SOURCE"] == "clickhouse" and config["INGEST_SCOPE"] == "all":
        raise ConfigError(
            "INGEST_SCOPE can't be `all` where SOURCE is `clickhouse`: its public server limits"
            " what a query may read, so a whole day of all packages can't be had there"
        )
    config["INGEST_SCOPE"] = config["INGEST_SCOPE"] or (
        "tracked" if config["SOURCE"] == "clickhouse" else "all"
    )
    return config
