"""Whatever ends in the midst of a load, the day comes by itself, whole and once, and a line tells.

Real processes on servers of their own, which are killed; only the waits are short.
"""

import time
from random import Random

import psutil
import pytest

from pypistats import queries
from pypistats.embedded import PostgresServer
from tests.fixed_source import made_up_day
from tests.fixtures_pipeline import MISSING_DAY, Pipeline, StartPipeline
from tests.pipeline_processes import Valkey, until

LARGE_DAY = made_up_day(MISSING_DAY, 20_000)


@pytest.fixture(scope="module")
def pipeline(start_pipeline: StartPipeline) -> Pipeline:
    """Run a pipeline whose day is so large that its load can be hit in the midst."""
    return start_pipeline("--concurrency", "1", MADE_UP_DAY=f"{MISSING_DAY} {len(LARGE_DAY)}")


def await_load(pipeline: Pipeline, moment: float) -> None:
    """Lose the day, and return some time after a worker has begun to load it."""
    pipeline.lose_the_day()
    until(lambda: pipeline.attempts() or pipeline.is_loaded(), "the load begins")
    time.sleep(moment)


MOMENTS = [Random(n).uniform(0, 0.7) for n in range(10)]


@pytest.mark.parametrize("moment", MOMENTS[:5])
def test_the_worker_is_killed(pipeline: Pipeline, moment: float) -> None:
    await_load(pipeline, moment)

    pipeline.worker.kill()
    stored = pipeline.ask(lambda: list(queries.stored_days(MISSING_DAY, MISSING_DAY)))
    assert stored in ([], LARGE_DAY)
    pipeline.worker.start()

    pipeline.check(LARGE_DAY)


@pytest.mark.parametrize("moment", MOMENTS[5:])
def test_the_process_of_a_task_is_killed(pipeline: Pipeline, moment: float) -> None:
    seen = len(pipeline.worker.log())
    await_load(pipeline, moment)

    (child,) = psutil.Process(pipeline.worker.process.pid).children()
    child.kill()
    stored = pipeline.ask(lambda: list(queries.stored_days(MISSING_DAY, MISSING_DAY)))
    assert stored in ([], LARGE_DAY)

    pipeline.check(LARGE_DAY)
    pipeline.await_line(seen, f"pid:{child.pid} exited with 'signal 9 (SIGKILL)'")


def test_valkey_is_killed_and_started_again(pipeline: Pipeline, broken_valkey: Valkey) -> None:
    seen = len(pipeline.worker.log())
    await_load(pipeline, 0.2)

    broken_valkey.kill()
    pipeline.check(LARGE_DAY)
    broken_valkey.start()
    pipeline.lose_the_day()

    pipeline.check(LARGE_DAY)
    pipeline.await_line(seen, "Connection to broker lost")


def test_postgresql_is_started_again(pipeline: Pipeline, broken_postgres: PostgresServer) -> None:
    seen = len(pipeline.worker.log())
    await_load(pipeline, 0.2)

    broken_postgres._pg_ctl("restart", "--wait", "--mode=immediate")

    pipeline.check(LARGE_DAY)
    lines = pipeline.new_lines(seen)
    assert [line for line in lines if "ingest-day" in line and "OperationalError" in line]
