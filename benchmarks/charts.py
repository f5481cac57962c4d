"""How long pictures of charts take and how large they are: `make bench-charts`.

Pictures of the same data by matplotlib stand beside them. Then a site is started as `make run`
does, for what a kept picture costs beside kept JSON, and for what others notice while pictures
are drawn for many. Other work on the machine shows in the load, which is printed.
"""

import contextlib
import datetime as dt
import http.client
import os
import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import click
import psutil

from benchmarks import matplotlib_chart
from benchmarks.running_site import site
from pypistats import charts
from pypistats.catalog import Dimension
from pypistats.chart_room import Size
from pypistats.charts import Chart, Figure, Kind
from pypistats.palette import Theme
from pypistats.render import Renderer, shrink
from pypistats.series import Grid

OPTIONS = {"format": "png", "width": 1200, "height": 600, "scale": 1}
COLD_TIMES, WARM_TIMES, KEPT_TIMES, ROUNDS = 5, 25, 400, 5
CLIENTS, PICTURES = 30, 60
SECONDS = 120


@click.command()
def main() -> None:
    """Measure, and print tables."""
    click.echo(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start\n")
    measure_drawing()
    with site() as port:
        measure_kept(port)
        measure_flood(port)
    click.echo(f"\nload {os.getloadavg()[0]:.1f} at the end")


class Taken(NamedTuple):
    """The milliseconds that a call took by the clock, and all processors together."""

    wall: float
    cpu: float


def grid(categories: int) -> Grid:
    """Return 180 days like those of a large package, with its weeks and its growth."""
    dice = random.Random(1)
    first = dt.date(2026, 1, 1)
    days = [(first + dt.timedelta(days=day)).isoformat() for day in range(180)]
    return Grid(
        days,
        {
            f"3.{14 - number}": [
                int(1e6 / (number + 1) * (1.3 if day % 7 < 5 else 1) * dice.uniform(0.9, 1.1))
                for day in range(180)
            ]
            for number in range(categories)
        },
    )


def measure_drawing() -> None:
    """Print what a picture takes with a new Chrome, with one that runs, and by matplotlib."""
    click.echo(
        f"{'1200x600, 180 days':32}{'median':>8}{'min':>8}{'CPU':>8}{'KB':>7}   milliseconds"
    )
    own = Chart("requests", Dimension.PYTHON_MINOR, grid(4))
    figure = charts.figure(own, theme=Theme.LIGHT, size=Size(1200, 600))
    cold = [measured_cold(figure) for _time in range(COLD_TIMES)]
    print_row("4 lines, a new Chrome", cold, None)
    renderer = Renderer(browser=None, seconds=SECONDS, places=1)
    for categories, kind in ((4, Kind.LINE), (4, Kind.BAR), (10, Kind.LINE), (10, Kind.BAR)):
        measure_chart(renderer, own._replace(grid=grid(categories), kind=kind))
    renderer.close()


def measure_chart(renderer: Renderer, chart: Chart) -> None:
    stacked = chart.kind is Kind.BAR
    name = f"{len(chart.grid.columns)} {'stacked bars' if stacked else 'lines'}"
    figure = charts.figure(chart, theme=Theme.LIGHT, size=Size(1200, 600))
    png = renderer.render(figure, OPTIONS)
    print_row(f"{name}, Chrome runs", repeat(lambda: renderer.render(figure, OPTIONS)), png)
    print_row(f"{name}, made small", repeat(lambda: shrink(png)), shrink(png))
    other = matplotlib_chart.draw(chart.grid, stacked=stacked)
    taken = repeat(lambda: matplotlib_chart.draw(chart.grid, stacked=stacked))
    print_row(f"{name}, matplotlib", taken, other)


def measured_cold(figure: Figure) -> Taken:
    """Return what a picture takes together with the start of Chrome."""
    renderer = Renderer(browser=None, seconds=SECONDS, places=1)
    taken = measured(lambda: renderer.render(figure, OPTIONS))
    renderer.close()
    return taken


def repeat(call: Callable[[], object]) -> list[Taken]:
    for _time in range(3):
        call()
    return [measured(call) for _time in range(WARM_TIMES)]


def measured(call: Callable[[], object]) -> Taken:
    """Return what a call took, Chrome's processes included as far as they live."""
    cpu, wall = cpu_seconds(psutil.Process()), time.perf_counter()
    call()
    wall = time.perf_counter() - wall
    return Taken(wall * 1000, (cpu_seconds(psutil.Process()) - cpu) * 1000)


def cpu_seconds(*roots: psutil.Process) -> float:
    """Return the processor time of processes and of those that they have started."""
    total = 0.0
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
    return total


def print_row(name: str, taken: list[Taken], png: bytes | None) -> None:
    walls = [each.wall for each in taken]
    cpu = statistics.mean(each.cpu for each in taken)
    size = "" if png is None else f"{len(png) / 1000:.0f}"
    click.echo(f"{name:32}{statistics.median(walls):8.0f}{min(walls):8.0f}{cpu:8.0f}{size:>7}")


def measure_kept(port: int) -> None:
    """Print what a kept picture takes beside kept JSON."""
    paths = {
        "kept PNG": "/api/packages/requests/chart/system",
        "kept JSON, the same data": "/api/packages/requests/system",
        "kept JSON, small": "/api/packages/requests/recent",
    }
    click.echo(f"\n{'':32}{'median':>8}{'min':>8}{'CPU':>8}{'KB':>7}   microseconds")
    workers = web_processes(port)
    for path in paths.values():
        for _worker in workers:
            request_often(port, path)
    taken: dict[str, list[Taken]] = {name: [] for name in paths}
    for _round in range(ROUNDS):
        for name, path in paths.items():
            cpu = own_cpu_seconds(workers)
            wall = request_often(port, path)
            cpu = own_cpu_seconds(workers) - cpu
            taken[name].append(Taken(wall * 1e6, cpu / KEPT_TIMES * 1e6))
    for name, rounds in taken.items():
        walls = [each.wall for each in rounds]
        cpu = statistics.mean(each.cpu for each in rounds)
        size = len(get(port, paths[name])[1]) / 1000
        click.echo(
            f"{name:32}{statistics.median(walls):8.0f}{min(walls):8.0f}{cpu:8.0f}{size:7.1f}"
        )


def request_often(port: int, path: str) -> float:
    """Return the median of a request's seconds, asked one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    walls = []
    for _time in range(KEPT_TIMES):
        begun = time.perf_counter()
        connection.request("GET", path)
        connection.getresponse().read()
        walls.append(time.perf_counter() - begun)
    connection.close()
    return statistics.median(walls)


def web_processes(port: int) -> list[psutil.Process]:
    """Return the web processes."""
    listening = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
    }
    return [psutil.Process(pid) for pid in listening if pid]


def own_cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the processor time of processes, and not of those that they have started."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure_flood(port: int) -> None:
    """Print how long /health takes, with nothing else to do and while pictures are drawn."""
    idle = [health_milliseconds(port) for _time in range(100)]
    answered: list[int] = []

    def draw(number: int) -> None:
        path = f"/api/packages/requests/chart/system?nocache=1&title={number}"
        answered.append(get(port, path)[0])

    begun = time.perf_counter()
    busy: list[float] = []
    with ThreadPoolExecutor(CLIENTS) as clients:
        drawing = [clients.submit(draw, number) for number in range(PICTURES)]
        while not all(future.done() for future in drawing):
            busy.append(health_milliseconds(port))
            time.sleep(0.005)
    seconds = time.perf_counter() - begun
    click.echo(f"\n{'/health':32}{'median':>8}{'95 %':>8}{'max':>8}   milliseconds")
    for name, walls in (("with nothing else to do", idle), (f"with {CLIENTS} clients", busy)):
        slow = statistics.quantiles(walls, n=20)[-1]
        click.echo(f"{name:32}{statistics.median(walls):8.1f}{slow:8.1f}{max(walls):8.1f}")
    counts = {status: answered.count(status) for status in sorted(set(answered))}
    click.echo(f"{PICTURES} pictures for {CLIENTS} clients: {counts} in {seconds:.1f} s")


def health_milliseconds(port: int) -> float:
    begun = time.perf_counter()
    get(port, "/health")
    return (time.perf_counter() - begun) * 1000


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


if __name__ == "__main__":
    main()
