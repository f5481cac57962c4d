"""What the ClickHouse source counts: its SQL in the real engine, against a count in plain Python.

ClickPy has '' where PyPI's table has NULL, and keeps two parts of Python's version: the plain count
is one of rows that were changed so.
"""

import copy
import datetime as dt

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from pypistats import queries
from pypistats.catalog import CATEGORIES_KEPT, VERSIONS_KEPT, PackageDay
from pypistats.sources import DownloadSource, FetchCost, SourceError
from pypistats.sources.clickhouse import ClickHouseSource
from tests.download_rows import DAY, NORMAL_NAMES, Row, aggregate, edge_rows
from tests.fixtures_clickhouse import ClickHouse

BEFORE, AFTER = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)
PACKAGES = sorted({package for _, package in aggregate(edge_rows(), BEFORE, AFTER)})


def source_of(url: str, user: str = "play") -> ClickHouseSource:
    return ClickHouseSource(url, user=user, password=None, database="pypi")


def as_clickpy(download: Row) -> Row:
    """Return a row with what ClickPy keeps of it."""
    changed = copy.deepcopy(download)
    details = changed["details"] or {}
    for record in ("installer", "system"):
        if (details.get(record) or {}).get("name") == "":
            details[record]["name"] = None
    if details.get("python") is not None:
        details["python"] = ".".join(details["python"].split(".")[:2]) or None
    return changed


CLICKPY_ROWS = [as_clickpy(download) for download in edge_rows()]


@pytest.fixture(scope="module")
def fetched(clickhouse: ClickHouse) -> dict[str, PackageDay]:
    """The source's rows of the day, by package."""
    return {row.package: row for row in source_of(clickhouse.url).fetch(DAY, DAY, PACKAGES)}


def test_every_count_of_a_day_is_the_plain_count(fetched: dict[str, PackageDay]) -> None:
    counted = aggregate(CLICKPY_ROWS, DAY, DAY)

    assert fetched == {package: row for (_, package), row in counted.items()}
    assert len(counted) > 15


def test_only_empty_texts_and_lost_parts_of_versions_count_otherwise_than_at_bigquery(
    fetched: dict[str, PackageDay],
) -> None:
    counted = {package: row for (_, package), row in aggregate(edge_rows(), DAY, DAY).items()}

    different = {name: row for name, row in counted.items() if fetched.get(name) != row}
    assert set(different) == {"edge-installer", "edge-python", "edge-system"}
    assert different["edge-installer"].installer[""] == 1
    assert fetched["edge-installer"].installer["null"] == 2
    assert different["edge-system"].system["other"] == fetched["edge-system"].system["other"] + 1
    assert different["edge-python"].with_mirrors == fetched["edge-python"].with_mirrors - 2


def test_it_is_a_download_source_that_costs_nothing(clickhouse: ClickHouse) -> None:
    source: DownloadSource = source_of(clickhouse.url)

    list(source.fetch(DAY, DAY, ["a"]))

    assert source.name == "clickhouse"
    assert source.cost == FetchCost()


def test_a_whole_day_of_all_packages_is_refused_with_the_reason(clickhouse: ClickHouse) -> None:
    before = clickhouse.queries()

    with pytest.raises(SourceError, match="limits what a query may read"):
        list(source_of(clickhouse.url).fetch(DAY, DAY))

    assert clickhouse.queries() == before


@pytest.mark.parametrize(
    "packages",
    [["edge-null"], ["edge-of-day", "day-after-only"], ["no-such-package"], ["') or 1 = 1 --"]],
)
def test_packages_are_counted_and_fetched_in_one_query_each(
    clickhouse: ClickHouse, packages: list[str]
) -> None:
    before = clickhouse.queries()

    rows = list(source_of(clickhouse.url).fetch(BEFORE, AFTER, packages))

    assert {(row.day, row.package): row for row in rows} == aggregate(
        CLICKPY_ROWS, BEFORE, AFTER, packages
    )
    assert clickhouse.queries() == before + 2


@pytest.mark.parametrize(("until", "packages"), [(BEFORE, ["a"]), (DAY, [])])
def test_nothing_asked_is_no_query(
    clickhouse: ClickHouse, until: dt.date, packages: list[str]
) -> None:
    before = clickhouse.queries()

    assert list(source_of(clickhouse.url).fetch(DAY, until, packages)) == []
    assert clickhouse.queries() == before


def test_a_result_that_was_cut_silently_is_fetched_in_parts(clickhouse: ClickHouse) -> None:
    """The server gives about four rows at most, and says nothing of the others."""
    names = [*NORMAL_NAMES, "edge-of-day"]
    before = clickhouse.queries()

    rows = list(source_of(clickhouse.url).fetch(BEFORE, AFTER, names))

    assert {(row.day, row.package): row for row in rows} == aggregate(
        CLICKPY_ROWS, BEFORE, AFTER, names
    )
    assert len(rows) > 4
    assert clickhouse.queries() > before + 2


def test_a_query_that_stopped_reading_silently_is_asked_in_parts(clickhouse: ClickHouse) -> None:
    """The server reads 600 rows at most; these packages have more."""
    names = ["edge-versions", "edge-flood", "edge-ties", "edge-tail"]
    before = clickhouse.queries()

    rows = {row.package: row for row in source_of(clickhouse.url).fetch(DAY, DAY, names)}

    assert clickhouse.queries() > before + 1
    assert list(aggregate(CLICKPY_ROWS, DAY, DAY, names).values()) == [
        rows[name] for name in sorted(names)
    ]
    assert len(rows["edge-flood"].installer) == CATEGORIES_KEPT + 1
    assert len(rows["edge-versions"].version) == VERSIONS_KEPT + 1


def test_long_lists_and_ranges_are_asked_in_parts_from_the_start(clickhouse: ClickHouse) -> None:
    names = [f"no-such-{number}" for number in range(80)]
    before = clickhouse.queries()

    assert list(source_of(clickhouse.url).fetch(DAY, DAY, names)) == []
    assert clickhouse.queries() == before + 4
    assert list(source_of(clickhouse.url).fetch(DAY - dt.timedelta(days=999), DAY, ["none"])) == []
    assert clickhouse.queries() == before + 8


def test_a_user_that_the_server_does_not_know_is_told(clickhouse: ClickHouse) -> None:
    with pytest.raises(SourceError, match=r"a, 2026-03-15 to .*status 403, .*AUTHENTICATION_FAI"):
        list(source_of(clickhouse.url, user="nobody").fetch(DAY, DAY, ["a"]))


def test_a_command_loads_packages_from_it(
    clickhouse: ClickHouse, app: Flask, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CLICKHOUSE_URL", clickhouse.url), ("CLICKHOUSE_USER", "play")):
        monkeypatch.setitem(app.config, name, value)
    words = ["ingest", str(DAY), "--source", "clickhouse"]

    loaded = runner.invoke(args=[*words, "--packages", "edge-null,edge-flood"])
    refused = runner.invoke(args=words)

    assert loaded.exit_code == 0, loaded.output
    with app.app_context():
        stored = {(row.day, row.package): row for row in queries.stored_days(DAY, DAY)}
        assert [row.source for row in queries.loaded_days()] == ["clickhouse"]
    assert stored == aggregate(CLICKPY_ROWS, DAY, DAY, ["edge-null", "edge-flood"])
    assert refused.exit_code == 1
    assert "limits what a query may read" in refused.output
