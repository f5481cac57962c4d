"""Fixtures of the BigQuery tests: the emulator, the proxy before it, the Storage API, a source."""

from collections.abc import Callable, Iterator

import pytest
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from pypistats.sources import Budget
from pypistats.sources.bigquery import BigQuerySource, Patience
from pypistats.sources.bigquery_clients import make_clients
from tests.bigquery_emulator import Emulator
from tests.bigquery_proxy import Proxy
from tests.bigquery_storage_server import StorageServer
from tests.download_rows import edge_rows

IMPATIENT = Patience(request=30, retry=0.1, job=30, poll=0.01, page_rows=5)
"""Small pages, so that every result has several, and no second try. An answer that comes is waited
for on a busy machine as well; who tests one that does not come waits less."""

Source = Callable[..., BigQuerySource]


@pytest.fixture(scope="session")
def bigquery_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Run one emulator for the session; each test module puts its own rows into it."""
    emulator = Emulator(tmp_path_factory.mktemp("bigquery"))
    yield emulator
    emulator.stop()


@pytest.fixture(scope="module")
def edge_table(bigquery_emulator: Emulator) -> Emulator:
    """Give the emulator with the edge cases in its table."""
    bigquery_emulator.put(edge_rows())
    return bigquery_emulator


@pytest.fixture
def proxy(edge_table: Emulator) -> Iterator[Proxy]:
    """Give a fresh proxy before the edge cases."""
    proxy = Proxy(edge_table.url)
    yield proxy
    proxy.close()


@pytest.fixture
def bigquery_client(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[bigquery.Client]:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
    client, _ = make_clients(project="billed", credentials=None)
    yield client
    client.close()


@pytest.fixture
def make_source(bigquery_client: bigquery.Client) -> Source:
    """Give a maker of sources that talk to the proxy."""

    def make(
        storage_client: BigQueryReadClient | None = None,
        *,
        max_bytes_per_day: int = 5_000,
        budget: Budget | None = None,
        patience: Patience = IMPATIENT,
    ) -> BigQuerySource:
        return BigQuerySource(
            bigquery_client,
            max_bytes_per_day=max_bytes_per_day,
            storage_client=storage_client,
            budget=budget,
            patience=patience,
        )

    return make


@pytest.fixture
def storage() -> Iterator[StorageServer]:
    server = StorageServer()
    yield server
    server.close()
