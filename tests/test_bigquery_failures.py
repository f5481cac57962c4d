"""Whatever goes wrong at BigQuery is a SourceError that says what, soon, and never a short day."""

import dataclasses
import time
from collections.abc import Iterator

import pytest
from google.cloud import bigquery

from pypistats.sources import SourceError
from pypistats.sources.bigquery import BigQuerySource
from pypistats.sources.bigquery_clients import make_clients
from tests.bigquery_proxy import Fault, Proxy, body, cut, hang, status
from tests.download_rows import DAY
from tests.fixtures_bigquery import IMPATIENT, Source

REFUSALS = [
    pytest.param(status(403, "quotaExceeded", "Quota exceeded: 1 TiB"), "Quota exceeded", id="403"),
    pytest.param(status(404, "notFound", "Not found: Table"), "Not found: Table", id="404"),
    pytest.param(status(401, "authError", "bad token"), "takes no credentials", id="401"),
    pytest.param(status(500, "backendError", "oops"), "oops", id="500"),
    pytest.param(status(503, "backendError", "later"), "later", id="503"),
    pytest.param(body(b"<html>Not JSON</html>"), "gave no answer", id="html"),
    pytest.param(body(b"[1, 2]"), "is no answer", id="list"),
    pytest.param(body(b"{}"), "2026-03-15", id="empty"),
    pytest.param(cut, "2026-03-15", id="cut"),
    pytest.param(status(400, "invalidQuery", "Syntax error\nat 1:1"), "Syntax error at", id="400"),
]


def hasty(client: bigquery.Client, **seconds: float) -> BigQuerySource:
    """Return a source with even less patience."""
    patience = dataclasses.replace(IMPATIENT, **seconds)
    return BigQuerySource(client, max_bytes_per_day=5_000, patience=patience)


@pytest.mark.parametrize("kind", ["dry-run", "query", "page"])
@pytest.mark.parametrize(("fault", "fact"), REFUSALS)
def test_a_bad_answer_is_a_source_error(
    make_source: Source, proxy: Proxy, kind: str, fault: Fault, fact: str
) -> None:
    proxy.fail(kind, fault)

    with pytest.raises(SourceError, match=fact):
        list(make_source().fetch(DAY, DAY))


@pytest.mark.parametrize(("fault", "fact"), REFUSALS)
def test_a_failure_between_pages_is_a_source_error(
    make_source: Source, proxy: Proxy, fault: Fault, fact: str
) -> None:
    proxy.fail("page", fault, after=2)
    rows = make_source().fetch(DAY, DAY)
    given = [next(rows) for _ in range(2 * IMPATIENT.page_rows)]

    with pytest.raises(SourceError, match=fact):
        next(rows)
    assert len({row.package for row in given}) == 2 * IMPATIENT.page_rows


def test_a_result_that_ends_early_is_a_source_error(make_source: Source, proxy: Proxy) -> None:
    proxy.fail("page", body(b'{"rows": []}'), after=1)

    with pytest.raises(SourceError, match="BigQuery gave 5 of the 17 rows of 2026-03-15"):
        list(make_source().fetch(DAY, DAY))


def test_a_job_that_does_not_finish_is_a_source_error(
    bigquery_client: bigquery.Client, proxy: Proxy
) -> None:
    running = b'{"jobReference": {"jobId": "j"}, "status": {"state": "RUNNING"}, "statistics": {}}'
    proxy.fail("query", body(running))
    proxy.fail("job", body(running))

    with pytest.raises(SourceError, match="does not finish"):
        list(hasty(bigquery_client, job=0.05).fetch(DAY, DAY))


@pytest.mark.parametrize("kind", ["dry-run", "query", "page"])
def test_a_service_that_hangs_is_a_source_error(
    bigquery_client: bigquery.Client,
    proxy: Proxy,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("google.cloud.bigquery.client._MIN_GET_QUERY_RESULTS_TIMEOUT", 0.2)
    proxy.fail(kind, hang)
    start = time.monotonic()

    with pytest.raises(SourceError, match="2026-03-15"):
        list(hasty(bigquery_client, request=0.2).fetch(DAY, DAY))
    assert time.monotonic() - start < 5


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[bigquery.Client]:
    """A client of a port where nothing listens."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:9")
    client, _ = make_clients(project=None, credentials=None)
    yield client
    client.close()


def test_a_refused_connection_is_a_source_error_soon(nowhere: bigquery.Client) -> None:
    start = time.monotonic()

    with pytest.raises(SourceError, match="refused"):
        list(hasty(nowhere, request=0.2).fetch(DAY, DAY))
    assert time.monotonic() - start < 5
