"""Whatever BigQuery answers, the day comes by itself, whole and once, and a line tells each fault.

Real processes; only the waits are short.
"""

from collections.abc import Iterator

import pytest

from tests import download_rows
from tests.bigquery_emulator import Emulator
from tests.bigquery_proxy import Proxy, body, cut, hang, status
from tests.fixtures_pipeline import MISSING_DAY, Pipeline, StartPipeline
from tests.pipeline_processes import until


def shifted(row: download_rows.Row) -> download_rows.Row:
    """Return a download of the day that is missing here."""
    return row | {"timestamp": row["timestamp"] + (MISSING_DAY - download_rows.DAY)}


EDGE_ROWS = [shifted(row) for row in download_rows.edge_rows()]


@pytest.fixture(scope="module")
def proxy(bigquery_emulator: Emulator) -> Iterator[Proxy]:
    bigquery_emulator.put(EDGE_ROWS)
    proxy = Proxy(bigquery_emulator.url)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def pipeline(start_pipeline: StartPipeline, proxy: Proxy) -> Pipeline:
    """Run a pipeline that has BigQuery, with faults to order, for its source."""
    return start_pipeline(
        "--pool", "solo", BIGQUERY_EMULATOR_HOST=proxy.url, BIGQUERY_PROJECT="billed"
    )


FAULTS = {
    "quota": ("query", status(403, "quotaExceeded", "Quota exceeded"), 0, "Quota exceeded"),
    "500": ("dry-run", status(500, "backendError", "oops"), 0, "oops"),
    "half a result, then a cut connection": ("page", cut, 2, "IncompleteRead"),
    "garbage": ("page", body(b"<html>no JSON</html>"), 1, "gave no answer"),
    "hang": ("query", hang, 0, "Read timed out"),
}
"""What the emulator does: to which calls, after how many good ones, and what the log says."""


@pytest.mark.parametrize("fault", FAULTS)
def test_bigquery_fails(pipeline: Pipeline, proxy: Proxy, fault: str) -> None:
    kind, answer, after, fact = FAULTS[fault]
    seen = len(pipeline.worker.log())
    proxy.calls.clear()
    proxy.fail(kind, answer, after=after)
    pipeline.lose_the_day()
    until(lambda: pipeline.attempts() >= 3, "the day is tried again")
    assert not pipeline.is_loaded()
    proxy.heal()

    totals = download_rows.aggregate(EDGE_ROWS, MISSING_DAY, MISSING_DAY)
    pipeline.check(list(totals.values()))

    told = [line for line in pipeline.new_lines(seen) if fact in line]
    tries = [line for line in pipeline.new_lines(seen) if "SourceError" in line]
    assert told == tries
    assert len(told) >= 2
