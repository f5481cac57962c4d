"""What the BigQuery source may cost: dry runs, limits, labels, and the accounting of bytes."""

import datetime as dt
import logging

import pytest

from pypistats.sources import FetchCost, SourceError
from tests.bigquery_proxy import Proxy
from tests.download_rows import DAY
from tests.fixtures_bigquery import Source

NEXT = DAY + dt.timedelta(days=1)
GIB = 2**30


def test_a_free_dry_run_precedes_every_query(make_source: Source, proxy: Proxy) -> None:
    list(make_source().fetch(DAY, DAY))

    dry_run, query = proxy.calls[:2]
    assert (dry_run.kind, query.kind) == ("dry-run", "query")
    assert dry_run.query["query"] == query.query["query"]
    assert dry_run.query["queryParameters"] == query.query["queryParameters"]
    assert dry_run.query["useQueryCache"] is False


def test_a_query_over_the_limit_is_never_run(make_source: Source, proxy: Proxy) -> None:
    proxy.dry_run_bytes = 3 * GIB
    source = make_source(max_bytes_per_day=2 * GIB)

    with pytest.raises(SourceError, match=r"for 2026-03-15 would read 3\.0 GiB; 2\.0 GiB are allo"):
        list(source.fetch(DAY, DAY))

    assert [call.kind for call in proxy.calls] == ["dry-run"]
    assert source.cost == FetchCost(dry_run_bytes=3 * GIB, bytes_billed=0, job_id=None)


def test_a_query_at_the_limit_is_run(make_source: Source, proxy: Proxy) -> None:
    proxy.dry_run_bytes = proxy.run_bytes = GIB

    assert list(make_source(max_bytes_per_day=GIB).fetch(DAY, DAY))


def test_the_limit_of_packages_grows_with_the_days(make_source: Source, proxy: Proxy) -> None:
    proxy.dry_run_bytes = 2 * GIB
    source = make_source(max_bytes_per_day=GIB)

    assert list(source.fetch(DAY, NEXT, ["a"]))
    with pytest.raises(SourceError, match=r"1 package\(s\), 2026-03-15 would read 2\.0 GiB"):
        list(source.fetch(DAY, DAY, ["a"]))


def test_a_job_carries_its_limit_and_labels(make_source: Source, proxy: Proxy) -> None:
    source = make_source(max_bytes_per_day=7_000)

    list(source.fetch(DAY, DAY))
    list(source.fetch(DAY, NEXT, ["a", "edge-null"]))

    day, packages = proxy.of("query")
    assert day.query["maximumBytesBilled"] == "7000"
    assert packages.query["maximumBytesBilled"] == "14000"
    assert day.body["configuration"]["labels"] == {
        "app": "pypistats",
        "since": "2026-03-15",
        "until": "2026-03-15",
        "scope": "all",
    }
    assert packages.body["configuration"]["labels"]["until"] == "2026-03-16"
    assert packages.body["configuration"]["labels"]["scope"] == "packages"
    assert day.body["configuration"]["jobTimeoutMs"] == "30000"
    assert day.body["jobReference"]["location"] == "US"
    assert day.body["jobReference"]["jobId"].startswith("pypistats-20260315-")


def test_a_breach_that_only_the_run_finds_is_a_source_error(
    make_source: Source, proxy: Proxy
) -> None:
    proxy.run_bytes = GIB

    with pytest.raises(SourceError, match=r"would read more; 0\.0 GiB are allowed"):
        list(make_source().fetch(DAY, DAY))

    assert len(proxy.of("query")) == 1


def test_the_cost_of_a_fetch_is_the_sum_of_its_queries(make_source: Source, proxy: Proxy) -> None:
    proxy.dry_run_bytes, proxy.run_bytes = 3_000, 2_000
    source = make_source()

    list(source.fetch(DAY, NEXT))

    newest = proxy.of("query")[-1].body["jobReference"]["jobId"]
    assert source.cost == FetchCost(dry_run_bytes=6_000, bytes_billed=4_000, job_id=newest)


def test_a_new_fetch_starts_a_new_account(make_source: Source) -> None:
    source = make_source()
    list(source.fetch(DAY, NEXT))

    rows = source.fetch(DAY, DAY)

    assert source.cost == FetchCost()
    list(rows)
    assert source.cost.bytes_billed == 1_000


def test_a_query_logs_one_line_with_its_bytes(
    make_source: Source, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pypistats")

    list(make_source().fetch(DAY, DAY, ["a"]))

    job_id = proxy.of("query")[0].body["jobReference"]["jobId"]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"BigQuery job {job_id} for 1 package(s), 2026-03-15: 1 rows, 1000 bytes by dry run,"
        " 1000 bytes billed"
    )
