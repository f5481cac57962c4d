"""Rows by the BigQuery Storage API, with its real client, and by REST where it is refused."""

import datetime as dt
import logging

import grpc
import pyarrow as pa
import pytest
from google.cloud import bigquery

from pypistats.catalog import PackageDay
from pypistats.sources import SourceError
from pypistats.sources.bigquery import BigQuerySource
from tests.bigquery_proxy import Proxy
from tests.bigquery_storage_server import StorageServer
from tests.download_rows import DAY, aggregate, edge_rows
from tests.fixtures_bigquery import Source

Counted = dict[tuple[dt.date, str], PackageDay]


@pytest.fixture
def counted(proxy: Proxy, bigquery_client: bigquery.Client, storage: StorageServer) -> Counted:
    """Serve the result that the emulator computes for the day; return what it must come to."""
    list(BigQuerySource(bigquery_client, max_bytes_per_day=5_000).fetch(DAY, DAY))
    job_id = proxy.calls.pop().path.rpartition("/")[2]
    rows = bigquery_client.get_job(job_id).result()
    storage.table = pa.Table.from_pylist([dict(row) for row in rows])
    proxy.calls.clear()
    return aggregate(edge_rows(), DAY, DAY)


def by_key(rows: list[PackageDay]) -> Counted:
    """Return rows by day and package, each of them once."""
    keyed = {(row.day, row.package): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def test_rows_of_the_storage_api_are_the_plain_count(
    make_source: Source, storage: StorageServer, proxy: Proxy, counted: Counted
) -> None:
    rows = list(make_source(storage.client).fetch(DAY, DAY))

    assert by_key(rows) == counted
    assert len(proxy.of("page")) == 1
    (session,) = storage.sessions
    assert session.parent == "projects/billed"
    assert session.max_stream_count == 1
    assert session.read_session.table.startswith("projects/billed/datasets/_")


def test_several_streams_are_read_to_their_ends(
    make_source: Source, storage: StorageServer, counted: Counted
) -> None:
    storage.streams, storage.batch_rows = 3, 2

    assert by_key(list(make_source(storage.client).fetch(DAY, DAY))) == counted


def test_a_result_of_one_page_needs_no_session(
    make_source: Source, storage: StorageServer, proxy: Proxy
) -> None:
    assert len(list(make_source(storage.client).fetch(DAY, DAY, ["a", "0"]))) == 2
    assert storage.sessions == []
    assert len(proxy.of("page")) == 1


@pytest.mark.parametrize("call", ["session", "rows"])
@pytest.mark.parametrize("status", ["PERMISSION_DENIED", "UNIMPLEMENTED", "UNAVAILABLE"])
def test_rows_come_by_rest_where_the_storage_api_is_refused(
    make_source: Source, storage: StorageServer, counted: Counted, *, call: str, status: str
) -> None:
    storage.refuse(call, grpc.StatusCode[status])

    assert by_key(list(make_source(storage.client).fetch(DAY, DAY))) == counted
    # What is unavailable for a moment is asked again, if there is time.
    assert storage.sessions


def test_the_way_round_a_refusal_is_logged_once(
    make_source: Source,
    storage: StorageServer,
    counted: Counted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage.refuse("session", grpc.StatusCode.PERMISSION_DENIED)

    assert len(list(make_source(storage.client).fetch(DAY, DAY))) == len(counted)

    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "reading it by REST: 403 no session for you" in warning.getMessage()


def test_a_stream_that_breaks_midway_is_a_source_error(
    make_source: Source, storage: StorageServer, counted: Counted
) -> None:
    storage.refuse("rows", grpc.StatusCode.PERMISSION_DENIED, after=2)
    rows = make_source(storage.client).fetch(DAY, DAY)

    assert by_key([next(rows) for _ in range(8)]).items() <= counted.items()
    with pytest.raises(SourceError, match="no rows for you"):
        next(rows)


def test_a_stream_that_ends_early_is_a_source_error(
    make_source: Source, storage: StorageServer, counted: Counted
) -> None:
    storage.drop_last = 1

    with pytest.raises(SourceError, match=f"gave 16 of the {len(counted)} rows"):
        list(make_source(storage.client).fetch(DAY, DAY))
