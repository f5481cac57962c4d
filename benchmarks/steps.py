"""One step of the benchmark, in a process of its own: `python -m benchmarks.steps`.

What it prints, as JSON, is then this step's alone: its seconds, without start and imports, and
the most memory that the process ever had.
"""

import dataclasses
import datetime as dt
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask_migrate
import orjson

from benchmarks import row_per_category
from benchmarks.package_days import GeneratedSource, generate
from pypistats import create_app, ingest, rankings, retention, store

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What a step took of this machine: seconds, and bytes at the peak."""

    packages: int
    wall: float
    cpu: float
    peak: int
    parts: dict[str, float] = dataclasses.field(default_factory=dict)
    """The seconds of some functions that the step has called."""

    @property
    def speed(self) -> float:
        """Packages a second."""
        return self.packages / self.wall


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What a step works on; `packages` is the size of a generated day, `every` thins it out."""

    folder: Path
    url: str
    day: dt.date
    packages: int
    every: int = 1

    @property
    def source(self) -> GeneratedSource:
        """The generated days."""
        return GeneratedSource(self.folder, every=self.every)


def _generate(work: Work) -> int:
    generate(work.folder, work.day, work.packages)
    return work.packages


def _migrate(work: Work) -> int:
    with create_app({"DATABASE_URL": work.url}).app_context():
        flask_migrate.upgrade()
    row_per_category.create_tables(work.url)
    return 0


def _read(work: Work) -> int:
    return sum(1 for _ in work.source.fetch(work.day, work.day))


def _load(work: Work) -> int:
    with create_app({"DATABASE_URL": work.url}).app_context(), store.transaction():
        return store.replace_day(work.day, work.source.fetch(work.day, work.day))


def _ingest(work: Work) -> int:
    with create_app({"DATABASE_URL": work.url}).app_context():
        return ingest.ingest_day(work.day, work.source)


def _rank(work: Work) -> int:
    with create_app({"DATABASE_URL": work.url}).app_context():
        rankings.refresh()
    return work.packages


def _purge(work: Work) -> int:
    with create_app({"DATABASE_URL": work.url}).app_context():
        last_month = work.day.replace(day=1) - dt.timedelta(days=1)
        retention.purge_before(last_month.replace(day=1))
    return work.packages


def _row_per_category(work: Work) -> int:
    rows = work.source.fetch(work.day, work.day)
    return row_per_category.replace_day(work.url, work.day, rows)


STEPS: dict[str, Callable[[Work], int]] = {
    "generate": _generate,
    "migrate": _migrate,
    "read": _read,
    "load": _load,
    "ingest": _ingest,
    "rank": _rank,
    "purge": _purge,
    "row-per-category": _row_per_category,
}


PARTS = ((store, "replace_day"), (store, "add_sum"), (store, "refresh_counts"))
"""What an ingest spends its time with."""


def _timed(parts: dict[str, float]) -> None:
    """Let each of the parts note its seconds."""
    for module, name in PARTS:
        setattr(module, name, _noting(getattr(module, name), name, parts))


def _noting(function: Callable[..., Any], name: str, parts: dict[str, float]) -> Callable[..., Any]:
    def noting(*positional: Any, **named: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*positional, **named)
        finally:
            parts[name] = time.perf_counter() - begin

    return noting


def measure(step: Callable[[Work], int], work: Work) -> Measured:
    """Do a step and return what it took. The peak is the whole process's."""
    parts: dict[str, float] = {}
    _timed(parts)
    wall, cpu = time.perf_counter(), time.process_time()
    packages = step(work)
    return Measured(
        packages=packages,
        wall=time.perf_counter() - wall,
        cpu=time.process_time() - cpu,
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT,
        parts=parts,
    )


def run(step: str, work: Work) -> Measured:
    """Do a step in a process of its own; interrupting this one ends that one."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.steps", step, *map(str, dataclasses.astuple(work))],
        stdout=subprocess.PIPE,
        check=True,
    )
    return Measured(**orjson.loads(done.stdout))


def main(name: str, *words: str) -> None:
    """Do the step of that name, on the work whose fields are `words`; print what it took."""
    folder, url, day, packages, every = words
    work = Work(Path(folder), url, dt.date.fromisoformat(day), int(packages), int(every))
    print(orjson.dumps(measure(STEPS[name], work)).decode())


if __name__ == "__main__":
    # Interrupted with the benchmark, which says so, it ends without a word of its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main(*sys.argv[1:])
