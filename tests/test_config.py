"""Settings are read once, and a bad one is refused by its name."""

import re
from pathlib import Path

import pytest

from pypistats.config import SETTINGS, ConfigError, Quota, load_config

URL = {"DATABASE_URL": "postgresql://user:secret@host:5433/name"}
README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_a_postgresql_address_names_the_driver(scheme: str) -> None:
    config = load_config({"DATABASE_URL": f"{scheme}://user:secret@host:5433/name"})

    assert config["DATABASE_URL"] == "postgresql+psycopg2://user:secret@host:5433/name"


def test_defaults_hold_where_nothing_is_set() -> None:
    assert load_config(URL) == {
        "DATABASE_URL": "postgresql+psycopg2://user:secret@host:5433/name",
        "REDIS_URL": None,
        "SOURCE": "bigquery",
        "INGEST_SCOPE": "all",
        "TRACKED_FILE": None,
        "ON_DEMAND_WAIT": 8,
        "SCHEDULE_SECONDS": 60,
        "SITE_URL": None,
        "RETENTION_DAYS": 180,
        "BIGQUERY_PROJECT": None,
        "BIGQUERY_CREDENTIALS": None,
        "BIGQUERY_MAX_BYTES_PER_DAY": 512 * 2**30,
        "BIGQUERY_DAILY_BUDGET": 2**40,
        "CLICKHOUSE_URL": "https://sql-clickhouse.clickhouse.com",
        "CLICKHOUSE_USER": "demo",
        "CLICKHOUSE_PASSWORD": None,
        "CLICKHOUSE_DATABASE": "pypi",
        "PYPI_URL": "https://pypi.org",
        "TRUSTED_PROXIES": 0,
        "RATE_LIMIT_CACHED": Quota(30_000, 10),
        "RATE_LIMIT_COMPUTED": Quota(10_000, 10),
        "RATE_LIMIT_RENDER": Quota(120, 60),
        "RATE_LIMIT_FETCH": Quota(30, 3_600),
        "PREPARED_STATEMENTS": True,
        "RATE_LIMIT_TOKENS": None,
        "ANSWERS_MIB": 8,
        "REVISION_SECONDS": 1,
        "BROWSER_PATH": None,
        "RENDER_SECONDS": 15,
        "RENDER_PLACES": 9,
        "HOST": "0.0.0.0",
        "PORT": 5000,
        "WEB_CONCURRENCY": 2,
        "WEB_THREADS": 20,
        "WORKER_CONCURRENCY": 2,
    }


def test_an_empty_variable_is_an_absent_one() -> None:
    assert load_config(URL | {"PORT": ""})["PORT"] == 5000


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "somewhere"),
        ("DATABASE_URL", "postgresql://"),
        ("REDIS_URL", "localhost:6379"),
        ("CLICKHOUSE_URL", "clickhouse.example"),
        ("CLICKHOUSE_URL", "https://clickhouse.example/path"),
        ("CLICKHOUSE_URL", "https://user:hunter2@clickhouse.example"),
        ("PYPI_URL", "file:///etc"),
        ("SITE_URL", "stats.example"),
        ("SITE_URL", "ftp://stats.example"),
        ("SITE_URL", "https://stats.example/?q=1"),
        ("SITE_URL", "https://stats.example/path"),
        ("SITE_URL", "https://stats.example#top"),
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "٣"),
        ("RETENTION_DAYS", "29"),
        ("BIGQUERY_MAX_BYTES_PER_DAY", "1e12"),
        ("WEB_CONCURRENCY", "two"),
        ("SOURCE", "oracle"),
        ("SCHEDULE_SECONDS", "0"),
        ("WORKER_CONCURRENCY", "0"),
        ("TRUSTED_PROXIES", "-1"),
        ("RATE_LIMIT_CACHED", "100"),
        ("RATE_LIMIT_RENDER", "0/60"),
        ("RATE_LIMIT_FETCH", "1/0"),
        ("PREPARED_STATEMENTS", "yes"),
        ("RATE_LIMIT_TOKENS", "hunter2=10"),
        ("RATE_LIMIT_TOKENS", "correct-horse-battery"),
        ("RATE_LIMIT_TOKENS", "correct-horse-battery=0"),
    ],
)
def test_a_value_that_can_not_be_is_refused_by_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{variable} "):
        load_config(URL | {variable: value})


def test_clickhouse_tracks_and_takes_no_whole_days() -> None:
    assert load_config(URL | {"SOURCE": "clickhouse"})["INGEST_SCOPE"] == "tracked"

    with pytest.raises(ConfigError, match=r"INGEST_SCOPE .* limits what a query may read"):
        load_config(URL | {"SOURCE": "clickhouse", "INGEST_SCOPE": "all"})


def test_tracked_names_are_read_from_a_file_in_normal_form(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text("# ours\nFlask\n\nzope.interface  # and this\nflask\n")

    assert load_config(URL | {"TRACKED_FILE": str(path)})["TRACKED_FILE"] == (
        "flask",
        "zope-interface",
    )


@pytest.mark.parametrize("content", [None, "two words\n", "\xff"])
def test_a_file_that_has_no_names_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "names"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))

    with pytest.raises(ConfigError, match="TRACKED_FILE can't be what it is set to"):
        load_config(URL | {"TRACKED_FILE": str(path)})


def test_the_sites_address_needs_no_slash_at_its_end() -> None:
    for address in ("https://stats.example", "https://stats.example/", "http://host:8000/"):
        assert load_config(URL | {"SITE_URL": address})["SITE_URL"] == address.rstrip("/")


def test_pypi_can_be_switched_off() -> None:
    assert load_config(URL | {"PYPI_URL": "none"})["PYPI_URL"] is None
    assert load_config(URL | {"PYPI_URL": "http://host:1/"})["PYPI_URL"] == "http://host:1"


def test_a_missing_database_address_is_told() -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL is not set"):
        load_config({})


def test_a_refused_value_is_not_repeated_since_it_may_be_a_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"DATABASE_URL": "mysql://user:hunter2@host/name"})

    assert "hunter2" not in str(caught.value)


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README.read_text(), re.MULTILINE)

    assert {variable: default.strip("`") for variable, default, _ in rows} == {
        setting.variable: setting.default or "none" for setting in SETTINGS
    } | {"PYPISTATS_DATA_DIR": "var"}
