"""What the BigQuery source counts: the real SQL and client, against a count in plain Python."""

import contextlib
import datetime as dt
import re

import pytest

from pypistats.catalog import (
    CATEGORIES_KEPT,
    NAME_MAX_LENGTH,
    VERSIONS_KEPT,
    PackageDay,
    is_normal_name,
)
from pypistats.sources import DownloadSource, FetchCost, bigquery
from pypistats.sources.bigquery_clients import make_clients
from tests.bigquery_emulator import Emulator
from tests.bigquery_proxy import Proxy
from tests.download_rows import (
    DAY,
    INSTALLERS,
    NORMAL_NAMES,
    OTHER_NAMES,
    aggregate,
    at,
    edge_rows,
)
from tests.fixtures_bigquery import IMPATIENT, Source

BEFORE, AFTER = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)
EMPTY_DAY = dt.date(2026, 4, 1)


@pytest.fixture(scope="module")
def counted() -> dict[str, PackageDay]:
    """The oracle's count of the day, by package."""
    return {package: found for (_, package), found in aggregate(edge_rows(), DAY, DAY).items()}


@pytest.fixture(scope="module")
def fetched(edge_table: Emulator) -> dict[str, PackageDay]:
    """The source's rows of the day, by package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", edge_table.url)
        client, _ = make_clients(project=None, credentials=None)
    source = bigquery.BigQuerySource(client, max_bytes_per_day=1, patience=IMPATIENT)
    with contextlib.closing(client):
        return {found.package: found for found in source.fetch(DAY, DAY)}


def test_every_count_of_a_day_is_the_plain_count(
    fetched: dict[str, PackageDay], counted: dict[str, PackageDay]
) -> None:
    assert fetched == counted
    assert len(counted) > 15


def test_a_source_is_a_download_source(make_source: Source) -> None:
    source: DownloadSource = make_source()

    assert source.name == "bigquery"
    assert source.cost == FetchCost()


def test_both_ends_of_the_utc_day_are_in_and_its_neighbours_are_not(
    fetched: dict[str, PackageDay],
) -> None:
    assert fetched["edge-of-day"].with_mirrors == 2
    assert not {"day-before-only", "day-after-only"} & set(fetched)


def test_a_download_without_an_installer_counts_with_mirrors_only(
    fetched: dict[str, PackageDay],
) -> None:
    assert fetched["unknown-installer-only"] == PackageDay(
        DAY, "unknown-installer-only", 1, 0, {}, {}, {"null": 1}, {}
    )


def test_each_mirror_counts_with_mirrors_only(fetched: dict[str, PackageDay]) -> None:
    row = fetched["edge-installer"]

    assert row.with_mirrors == len(INSTALLERS)
    assert row.with_mirrors - row.without_mirrors == 4
    assert row.system == {"Linux": row.without_mirrors}


def test_odd_installers_survive_as_they_are(fetched: dict[str, PackageDay]) -> None:
    assert fetched["edge-installer"].installer == dict.fromkeys(INSTALLERS, 1)


def test_malformed_pythons_are_left_out_and_odd_ones_kept(fetched: dict[str, PackageDay]) -> None:
    assert fetched["edge-python"].python_minor == {
        "2.7": 1,
        "3.14": 1,
        "3.9": 1,
        "3.10": 1,
        "3.100": 1,
        "3.11": 1,
        "3.7": 1,
        "3.9999999": 1,
        "0.1": 1,
    }
    assert "malformed-python-only" not in fetched


def test_systems_are_the_known_ones_other_and_null(fetched: dict[str, PackageDay]) -> None:
    assert fetched["edge-system"].system == {"Windows": 1, "Linux": 1, "Darwin": 1, "other": 7}
    assert fetched["edge-null"].system == {"Linux": 1, "null": 2}


def test_releases_beyond_the_cap_are_other(fetched: dict[str, PackageDay]) -> None:
    version = fetched["edge-versions"].version

    assert len(version) == VERSIONS_KEPT + 1
    assert version["1.19"] == 11
    assert version["other"] == sum(range(1, 11))


def test_ties_at_the_cap_go_by_name(fetched: dict[str, PackageDay]) -> None:
    kept = {f"2.{number:02}": 2 for number in range(VERSIONS_KEPT)}

    assert fetched["edge-ties"].version == {**kept, "other": 20}


def test_a_release_called_other_merges_with_the_tail(fetched: dict[str, PackageDay]) -> None:
    version = fetched["edge-tail"].version

    assert len(version) == VERSIONS_KEPT
    assert version["other"] == 5 + 2 * 11


def test_the_other_maps_are_capped_too(fetched: dict[str, PackageDay]) -> None:
    row = fetched["edge-flood"]

    assert len(row.installer) == len(row.python_minor) == CATEGORIES_KEPT + 1
    assert sum(row.installer.values()) == row.with_mirrors


def test_the_query_takes_the_names_that_the_catalog_takes(fetched: dict[str, PackageDay]) -> None:
    assert set(NORMAL_NAMES) <= set(fetched)
    assert not set(OTHER_NAMES) & set(fetched)
    assert all(map(is_normal_name, NORMAL_NAMES))
    assert not any(map(is_normal_name, OTHER_NAMES))
    assert f"LENGTH(project) <= {NAME_MAX_LENGTH}" in bigquery._sql(None)


def test_maps_sum_to_their_totals(fetched: dict[str, PackageDay]) -> None:
    for row in fetched.values():
        assert sum(row.installer.values()) == row.with_mirrors
        for counts in (row.python_minor, row.system, row.version):
            assert sum(counts.values()) == row.without_mirrors


def test_an_empty_day_yields_nothing(make_source: Source) -> None:
    source = make_source()

    assert list(source.fetch(EMPTY_DAY, EMPTY_DAY)) == []
    assert source.cost.job_id is not None


def test_a_range_is_fetched_day_by_day_in_order(make_source: Source, proxy: Proxy) -> None:
    rows = list(make_source().fetch(BEFORE, AFTER))

    assert {(row.day, row.package): row for row in rows} == aggregate(edge_rows(), BEFORE, AFTER)
    assert [row.day for row in rows] == sorted(row.day for row in rows)
    assert [call.kind for call in proxy.calls if call.kind in {"dry-run", "query"}] == [
        *("dry-run", "query") * 3
    ]


@pytest.mark.parametrize(
    "packages",
    [
        ["edge-null"],
        ["edge-of-day", "day-after-only", "edge-null"],
        ["no-such-package"],
        ["no-such-package", "a"],
        ["__all__"],
        ["' or true --"],
    ],
)
def test_packages_are_fetched_in_one_query_over_the_range(
    make_source: Source, proxy: Proxy, packages: list[str]
) -> None:
    rows = list(make_source().fetch(BEFORE, AFTER, packages))

    assert {(row.day, row.package): row for row in rows} == aggregate(
        edge_rows(), BEFORE, AFTER, packages
    )
    assert len(proxy.of("query")) == 1


@pytest.mark.parametrize(("until", "packages"), [(BEFORE, None), (BEFORE, ["a"]), (DAY, [])])
def test_nothing_asked_is_nothing_billed(
    make_source: Source, proxy: Proxy, until: dt.date, packages: list[str] | None
) -> None:
    assert list(make_source().fetch(DAY, until, packages)) == []
    assert proxy.calls == []


def test_pages_are_read_as_they_are_needed(make_source: Source, proxy: Proxy) -> None:
    rows = make_source().fetch(DAY, DAY)

    for _ in range(IMPATIENT.page_rows):
        next(rows)
    assert len(proxy.of("page")) == 1
    next(rows)
    assert len(proxy.of("page")) == 2
    assert {call.parameters["maxResults"] for call in proxy.of("page")} == {"5"}


def test_the_query_reads_the_table_once_and_filters_bare_columns() -> None:
    sql = bigquery._sql(None)

    assert sql.count("file_downloads") == 1
    assert sql.count("FROM counted") == 1
    assert re.search(r"^  WHERE timestamp >= @since\n    AND timestamp < @before$", sql, re.M)
    assert "@" not in "".join(line for line in sql.splitlines() if "--" in line)


def test_the_package_filter_is_on_the_bare_clustering_column() -> None:
    assert "\n    AND project = @package\n" in bigquery._sql(["a"])
    assert "\n    AND project IN UNNEST(@packages)\n" in bigquery._sql(["a", "b"])


def test_the_first_and_last_instants_are_parameters(make_source: Source, proxy: Proxy) -> None:
    list(make_source().fetch(DAY, DAY, ["a"]))

    sent = {item["name"]: item for item in proxy.of("query")[0].query["queryParameters"]}
    assert sent["since"]["parameterType"] == {"type": "TIMESTAMP"}
    assert sent["since"]["parameterValue"]["value"].startswith(f"{at(DAY, 0):%Y-%m-%d %H:%M:%S}")
    assert sent["before"]["parameterValue"]["value"].startswith(f"{at(AFTER, 0):%Y-%m-%d %H:%M:%S}")
    assert sent["package"]["parameterValue"] == {"value": "a"}
