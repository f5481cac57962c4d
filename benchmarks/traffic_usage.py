"""What the processes of `benchmarks.traffic` take: processor time and memory, span by span."""

import contextlib
import time

import click
import psutil

from benchmarks.bars import Bars
from benchmarks.web import Web

GROUPS = ("web", "Chrome", "PostgreSQL", "Valkey", "ingest", "clients")
MIB = 2**20
LAST = "after"
"""The last span at the usual rate."""


class Usage:
    """Counts for the site's processes, those of the servers, the ingest's and the clients'."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._clients: psutil.Process | None = None
        self._begun: dict[str, tuple[float, dict[str, float], float]] = {}
        self._taken: dict[str, dict[str, float]] = {}
        self._memory: dict[str, dict[str, float]] = {}

    def watch(self, clients: int) -> None:
        """Count the clients' process too."""
        self._clients = psutil.Process(clients)

    def begin(self, label: str) -> None:
        """Begin to count for a span."""
        self._begun[label] = time.time(), self._seconds(), _ended_children()

    def end(self, label: str) -> None:
        """End the count: the processors that each group had, and the memory at this moment."""
        begin, before, children = self._begun[label]
        wall = time.time() - begin
        now = self._seconds() | {"ingest": _ended_children()}
        before["ingest"] = children
        self._taken[label] = {group: (now[group] - before[group]) / wall for group in GROUPS}
        self._memory[label] = self._mib()

    def report(self, bars: Bars) -> None:
        """Print a line for each span, and hold the workers' memory against its bars."""
        click.echo("\nprocessors in use" + " " * 3 + "".join(f"{group:>12}" for group in GROUPS))
        for label, taken in self._taken.items():
            click.echo(f"{label:20}" + "".join(f"{taken[group]:12.2f}" for group in GROUPS))
        columns = list(next(iter(self._memory.values())))
        click.echo("\nMiB at the end of" + " " * 3 + "".join(f"{name:>12}" for name in columns))
        for label, mib in self._memory.items():
            cells = "".join(f"{mib.get(name, 0):12.0f}" for name in columns)
            click.echo(f"{label:20}{cells}")

        for name in columns:
            if name.startswith("worker"):
                begun, ended = (self._memory[label][name] for label in ("before", LAST))
                bars.at_most(f"memory of {name}", max(begun, ended), 120, "MiB")
                bars.at_most(f"memory of {name}, end to beginning", ended / begun, 1.1, "x")

    def _seconds(self) -> dict[str, float]:
        """Return the processor time that each group has had."""
        chrome = [each for worker in self._web.workers() for each in worker.children(True)]
        valkey = [each for each in psutil.Process().children() if "valkey" in each.name()]
        return {
            "web": _seconds([self._web.server, *self._web.workers()]),
            "Chrome": _seconds(chrome),
            "PostgreSQL": self._web.database.cpu_seconds(),
            "Valkey": _seconds(valkey),
            "clients": _seconds([self._clients] if self._clients else []),
        }

    def _mib(self) -> dict[str, float]:
        """Return the memory of each worker and the Chromes' and Valkey's."""
        found: dict[str, float] = {}
        for number, worker in enumerate(self._web.workers(), start=1):
            memory = worker.memory_full_info()
            found[f"worker {number}"] = memory.rss / MIB
            found[f"its own {number}"] = memory.uss / MIB
        chrome = [each for worker in self._web.workers() for each in worker.children(True)]
        found["Chromes"] = sum(_pss(each) for each in chrome)
        valkey = [each for each in psutil.Process().children() if "valkey" in each.name()]
        found["Valkey"] = sum(each.memory_info().rss for each in valkey) / MIB
        return found


def _pss(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_full_info().pss) / MIB
    return 0.0


def _seconds(processes: list[psutil.Process]) -> float:
    seconds = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:2])
    return seconds


def _ended_children() -> float:
    """Return what this process's children have had that have ended, as the ingest has."""
    return sum(psutil.Process().cpu_times()[2:4])
