"""The commands: what they load and print, and that a failure is seen in the exit code."""

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from pypistats import cli, create_app, ingest, package_lists, queries, supply
from pypistats.catalog import PackageDay
from pypistats.sources import SourceError, files
from tests.fixed_source import DAY, FixedSource, package_day

DAY_BEFORE = DAY - dt.timedelta(days=1)
ROWS = [
    package_day("flask", DAY_BEFORE, downloads=3),
    package_day("flask", mirrored=2, version={"3.0": 4, "2.0": 1}),
    package_day("requests"),
]


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    path = tmp_path / "days.jsonl"
    files.write_package_days(ROWS, path)
    return path


def load(app: Flask, *rows: PackageDay) -> None:
    with app.app_context():
        for day in {row.day for row in rows}:
            ingest.ingest_day(day, FixedSource(*rows))


def stored(app: Flask) -> list[PackageDay]:
    with app.app_context():
        return list(queries.stored_days(DAY_BEFORE, DAY))


def test_files_are_loaded_with_all_their_days(
    app: Flask, runner: FlaskCliRunner, rows_file: Path
) -> None:
    result = runner.invoke(args=["ingest", "--source", "files", "--path", str(rows_file)])

    assert result.exit_code == 0, result.output
    assert stored(app) == ROWS
    assert f"{DAY}  2 packages  1 of 2 days" in result.output


def test_a_day_or_a_range_limits_what_is_loaded(
    app: Flask, runner: FlaskCliRunner, rows_file: Path
) -> None:
    words = ["--source", "files", "--path", str(rows_file)]

    assert runner.invoke(args=["ingest", str(DAY), *words]).exit_code == 0
    assert stored(app) == ROWS[1:]

    assert runner.invoke(args=["ingest", f"{DAY_BEFORE}..{DAY}", *words]).exit_code == 0
    assert stored(app) == ROWS


def test_packages_limit_what_is_loaded_in_any_spelling(
    app: Flask, runner: FlaskCliRunner, rows_file: Path
) -> None:
    words = ["ingest", "--source", "files", "--path", str(rows_file), "--packages", "Flask, FLASK"]

    assert runner.invoke(args=words).exit_code == 0
    assert stored(app) == ROWS[:2]


@pytest.mark.parametrize(("scope", "is_told"), [("all", True), ("tracked", False)])
def test_where_all_are_kept_days_that_have_only_some_packages_are_told(
    runner: FlaskCliRunner,
    rows_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    scope: str,
    is_told: bool,
) -> None:
    monkeypatch.setitem(runner.app.config, "INGEST_SCOPE", scope)
    words = ["--source", "files", "--path", str(rows_file)]
    some = ["ingest", *words, "--packages", "flask"]
    told = f"{DAY_BEFORE} to {DAY_BEFORE} had nothing: they count as loaded now"

    whole = runner.invoke(args=["ingest", str(DAY), *words])
    first, again = runner.invoke(args=some), runner.invoke(args=some)

    assert (whole.exit_code, first.exit_code, again.exit_code) == (0, 0, 0)
    assert (told in first.output) == is_told
    assert "count as loaded" not in whole.output + again.output


def test_a_day_that_the_source_lacks_fails_after_the_others_are_loaded(
    app: Flask, runner: FlaskCliRunner, rows_file: Path
) -> None:
    days = f"{DAY}..{DAY + dt.timedelta(days=1)}"

    result = runner.invoke(args=["ingest", days, "--source", "files", "--path", str(rows_file)])

    assert result.exit_code == 1
    assert "the source has no downloads for 2026-03-16" in result.output
    assert stored(app) == ROWS[1:]


def test_a_day_that_is_not_over_is_refused(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    today = cli.yesterday() + dt.timedelta(days=1)
    path = tmp_path / "days.jsonl"
    files.write_package_days([*ROWS, package_day("flask", today + dt.timedelta(days=400))], path)
    refused = f"{today + dt.timedelta(days=400)} is not over yet (UTC): say days up to"

    result = runner.invoke(args=["ingest", "--source", "files", "--path", str(path)])
    assert (result.exit_code, refused in result.output) == (2, True)

    for words in (["ingest", str(today), "--source", "sample"], ["backfill", str(today), "--yes"]):
        result = runner.invoke(args=words)
        assert (result.exit_code, f"{today} is not over yet" in result.output) == (2, True)
    assert stored(app) == []


def test_a_broken_file_fails_with_its_fact(runner: FlaskCliRunner, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{not json\n")

    result = runner.invoke(args=["ingest", "--source", "files", "--path", str(broken)])

    assert result.exit_code == 1
    assert "broken.jsonl" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["2026-02-30", "--source", "sample"], "is no day"),
        (["yesterday", "--source", "sample"], "is no day"),
        (["2026-03-01..", "--source", "sample"], "is no day"),
        (["2026-03-02..2026-03-01", "--source", "sample"], "2026-03-02 is after 2026-03-01"),
        (["--source", "sample", "--packages", "a b"], "'a b' is no package name"),
        (["--source", "oracle"], "Invalid value for '--source'"),
        (["--source", "files"], "--path and --source files go together"),
        (["--source", "sample", "--path", "x"], "--path and --source files go together"),
    ],
)
def test_words_that_can_not_be_are_refused(
    runner: FlaskCliRunner, words: list[str], message: str
) -> None:
    result = runner.invoke(args=["ingest", *words])

    assert result.exit_code == 2
    assert message in result.output


def test_bad_credentials_are_refused_by_their_variable_and_not_shown(
    app: Flask, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "BIGQUERY_CREDENTIALS", "hunter2")

    result = runner.invoke(args=["ingest", str(DAY)])

    assert result.exit_code == 1
    assert "BIGQUERY_CREDENTIALS: " in result.output
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    "words",
    [
        f"ingest {DAY} --source sample",
        f"backfill {DAY}",
        "sample",
        "export --output /dev/null",
        "status",
        f"purge {DAY}",
        "db upgrade",
    ],
)
def test_a_database_out_of_reach_is_told_in_one_line(words: str) -> None:
    away = create_app({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/n", "SOURCE": "sample"})

    result = away.test_cli_runner().invoke(args=words.split())

    assert result.exit_code == 1
    told = "Error: the database of DATABASE_URL: connection to server at .* Connection refused .*\n"
    assert re.fullmatch(told, result.output)
    assert "secret" not in result.output


def test_what_the_database_refuses_is_told_in_one_line(database_url: str) -> None:
    elsewhere = f"{database_url}?options=-csearch_path%3Dpg_catalog"
    runner = create_app({"DATABASE_URL": elsewhere}).test_cli_runner()

    unmade = runner.invoke(args=["status"])
    refused = runner.invoke(args=["db", "upgrade"])

    assert (unmade.exit_code, refused.exit_code) == (1, 1)
    assert unmade.output == (
        'Error: the database of DATABASE_URL: relation "ingested_days" does not exist;'
        " `flask db upgrade` brings the tables up to date\n"
    )
    assert refused.output == (
        'Error: the database of DATABASE_URL: permission denied to create "pg_catalog'
        '.alembic_version"\n'
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("flask --app pypistats status", "Error: {}"),
        ("celery --app celery_worker worker", "{}"),
        ("gunicorn --check-config pypistats:create_site()", "{}"),
    ],
)
def test_a_setting_that_can_not_be_is_told_in_one_line(
    database_url: str, words: str, told: str
) -> None:
    environ = os.environ | {"DATABASE_URL": database_url, "PORT": "0"}

    command = [sys.executable, "-m", *words.split()]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    fact = "PORT can't be what it is set to: it takes a whole number from 1 to 65,535"
    assert (done.returncode, done.stderr) == (1, told.format(fact) + "\n")


@pytest.mark.parametrize("command", ["ingest", "backfill", "sample", "export", "status", "purge"])
def test_every_command_explains_itself(runner: FlaskCliRunner, command: str) -> None:
    result = runner.invoke(args=[command, "--help"])

    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_sample_reaches_from_yesterday_180_days_back_with_gaps(
    app: Flask, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "SAMPLE_DAYS", 60)

    result = runner.invoke(args=["sample"])

    assert result.exit_code == 0, result.output
    with app.app_context():
        loaded = list(queries.ledger())
        assert loaded[0] == cli.yesterday()
        assert len(loaded) < (loaded[0] - loaded[-1]).days + 1 <= 60
        assert len(package_lists.search("", limit=1_000)) >= 300
        assert queries.data_status().sample


@pytest.mark.parametrize("name", ["days.jsonl", "days.jsonl.gz", "days.parquet"])
def test_what_is_exported_can_be_loaded_again(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path, name: str
) -> None:
    load(app, *ROWS)

    exported = runner.invoke(args=["export", "--output", str(tmp_path / name)])
    assert exported.exit_code == 0, exported.output
    assert f"3 rows of {DAY_BEFORE} to {DAY}" in exported.output
    load(app, package_day("other-one"), package_day("other-one", DAY_BEFORE))

    words = ["ingest", "--source", "files", "--path", str(tmp_path / name)]
    loaded = runner.invoke(args=words)
    assert loaded.exit_code == 0, loaded.output
    assert stored(app) == ROWS


def test_an_export_with_a_gap_is_loaded_as_it_was(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    rows = [package_day("flask", DAY_BEFORE - dt.timedelta(days=1)), package_day("flask", DAY)]
    load(app, *rows)
    path = str(tmp_path / "days.parquet")

    assert runner.invoke(args=["export", "--output", path]).exit_code == 0
    result = runner.invoke(args=["ingest", "--source", "files", "--path", path])

    assert (result.exit_code, "2 of 2 days" in result.output) == (0, True)
    assert stored(app) == rows[1:]


def test_a_purge_of_several_days_is_refused(app: Flask, runner: FlaskCliRunner) -> None:
    load(app, *ROWS)

    result = runner.invoke(args=["purge", "2026-05-01..2026-06-01"])

    assert result.exit_code == 2
    assert "DAY is one day" in result.output
    assert stored(app) == ROWS


def test_an_export_of_nothing_and_to_nowhere_fails(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    empty = runner.invoke(args=["export", "--output", str(tmp_path / "days.jsonl")])
    load(app, *ROWS)
    other = runner.invoke(args=["export", "2026-01-01", "--output", str(tmp_path / "days.jsonl")])
    nowhere = runner.invoke(args=["export", "--output", str(tmp_path / "no" / "days.jsonl")])
    shapeless = runner.invoke(args=["export", "--output", str(tmp_path / "days.csv")])

    assert {result.exit_code for result in (empty, other, nowhere, shapeless)} == {1}
    assert "nothing is loaded yet" in empty.output
    assert "nothing is loaded of 2026-01-01 to 2026-01-01" in other.output
    assert "can't be written" in nowhere.output
    assert "can't be written" in shapeless.output


def test_status_shows_the_window_day_by_day_and_the_sizes(
    app: Flask, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = dt.datetime(2026, 3, 16, 4, tzinfo=dt.UTC)
    monkeypatch.setattr(cli, "utc_now", lambda: now)
    with app.app_context():
        for day in (DAY, DAY - dt.timedelta(days=2)):
            rows = FixedSource(package_day("flask", day, downloads=12_345))
            ingest.ingest_day(day, rows, clock=lambda: now)

    lines = runner.invoke(args=["status"]).output.splitlines()

    assert [line.split() for line in lines[1:5]] == [
        ["2026-03-13", "loaded", "1", "12,345", "fixed", "2026-03-16", "04:00", "1,000"],
        ["2026-03-14", "missing"],
        ["2026-03-15", "loaded", "1", "12,345", "fixed", "2026-03-16", "04:00", "1,000"],
        ["1", "missing,", "2", "loaded,", "0", "suspect,", "0", "final"],
    ]
    assert [line.split()[0] for line in lines[5:]] == ["daily_2026_03", "packages"]


class TenDays(FixedSource):
    """Has ten days, of which one has no rows; breaks at another when told to."""

    broken: dt.date | None = None

    def estimate(self, since: dt.date, *_: object) -> int:
        return 2**40 if any(row.day == since for row in self.rows) else 0

    def fetch(self, since: dt.date, *asked: Any) -> Iterator[PackageDay]:
        if since == self.broken:
            raise SourceError("the source broke off")
        return super().fetch(since, *asked)


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> TenDays:
    """Put a source of ten days in the place of the schedule's."""
    days = [DAY - dt.timedelta(days=n) for n in range(10) if n != 3]
    source = TenDays(*(package_day("flask", day) for day in days))
    monkeypatch.setattr(cli, "open_source", lambda *_, **__: source)
    return source


def backfill(runner: FlaskCliRunner, *words: str) -> tuple[int, list[str]]:
    since = DAY - dt.timedelta(days=9)
    result = runner.invoke(args=["backfill", f"{since}..{DAY}", *words])
    return result.exit_code, result.output.splitlines()


@pytest.mark.usefixtures("scheduled")
def test_a_backfill_tells_days_bytes_and_dollars_before_it_begins(
    app: Flask, runner: FlaskCliRunner
) -> None:
    load(app, package_day("requests"))

    assert backfill(runner) == (
        1,
        [
            "9 days are missing, and fixed has 8 of them",
            "8,796,093,022,208 bytes to read, which is $50.00 at $6.25 a TiB",
            "Aborted!",
            "Load them? [y/N]: ",
        ],
    )
    assert stored(app) == [package_day("requests")]


def test_a_backfill_that_broke_goes_on_where_it_was(
    app: Flask, runner: FlaskCliRunner, scheduled: TenDays
) -> None:
    load(app, package_day("requests"))
    scheduled.broken = DAY - dt.timedelta(days=5)
    exit_code, lines = backfill(runner, "--yes")
    assert exit_code == 1
    assert lines[-1] == "Error: the source broke off. Run again, it goes on from here"

    scheduled.broken = None
    exit_code, lines = backfill(runner, "--yes")
    assert exit_code == 0
    assert lines[0] == "6 days are missing, and fixed has 5 of them"

    with app.app_context():
        assert len(queries.loaded_days()) == 9
    assert stored(app) == [package_day("flask", DAY_BEFORE), package_day("requests")]
    assert backfill(runner, "--yes") == (0, ["1 days are missing, and fixed has 0 of them"])


@pytest.mark.parametrize("source", ["bigquery", "clickhouse"])
def test_a_backfill_loads_the_tracked_packages_where_some_are(
    app: Flask,
    runner: FlaskCliRunner,
    monkeypatch: pytest.MonkeyPatch,
    scheduled: TenDays,
    source: str,
) -> None:
    monkeypatch.setitem(app.config, "SOURCE", source)
    monkeypatch.setitem(app.config, "INGEST_SCOPE", "tracked")
    scheduled.rows = (*scheduled.rows, package_day("requests", DAY), package_day("numpy", DAY))
    load(app, package_day("flask"))
    exit_code, lines = backfill(runner, "--yes")
    assert (exit_code, "no package is tracked yet" in lines[-1]) == (2, True)

    with app.app_context():
        for name in ("flask", "requests"):
            supply.fetch_package(name, lambda: scheduled, days=1)
    exit_code, lines = backfill(runner, "--yes")

    assert exit_code == 0
    assert [line for line in lines if "packages" not in line] == [
        "9 days are missing, and fixed has 8 of them",
        *["2,400,000,000 bytes to read, which is $0.01 at $6.25 a TiB"] * (source == "bigquery"),
    ]
    assert stored(app) == [
        package_day("flask", DAY_BEFORE),
        package_day("flask"),
        package_day("requests"),
    ]
    with app.app_context():
        assert len(queries.loaded_days()) == 9


def test_a_backfill_of_days_that_are_not_kept_is_refused(
    app: Flask, runner: FlaskCliRunner
) -> None:
    load(app, package_day("flask"))

    result = runner.invoke(args=["backfill", "2025-01-01..2025-12-31"])

    assert result.exit_code == 2
    assert "RETENTION_DAYS keeps days from 2025-09-17 on" in result.output


@pytest.mark.parametrize(
    ("name", "message"), [("none", "SOURCE is none"), ("bigquery", "BIGQUERY_CREDENTIALS: ")]
)
def test_a_backfill_without_a_source_is_refused(
    app: Flask, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setitem(app.config, "SOURCE", name)
    monkeypatch.setitem(app.config, "BIGQUERY_CREDENTIALS", "hunter2")

    result = runner.invoke(args=["backfill", str(cli.yesterday())])

    assert result.exit_code != 0
    assert message in result.output
