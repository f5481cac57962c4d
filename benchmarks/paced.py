"""How long answers take at a rate that does not wait for them, as that of many clients together.

wrk sends a request when another is answered, and so sends less while the server is slow. Here each
request has its moment, and its time counts from then on, even while it waits for one of the
connections. The moments are even, as wrk2's are, or come by chance, as those of clients that know
nothing of each other. A process of its own: `python -m benchmarks.paced`.
"""

import collections
import gc
import random
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import click
import orjson

from benchmarks.web import ROOT, Web, load_processor

CONNECTIONS = 16
_PIECE = 1 << 20


class Times(NamedTuple):
    """The milliseconds that answers took, how many came in a second, and how many failed."""

    rate: float
    p50: float
    p99: float
    longest: float
    failed: int


def paced(
    web: Web, paths: Sequence[str], rate: float, seconds: float, *, by_chance: bool = False
) -> Times:
    """Ask for the paths, one after the other, so many times a second on average."""
    moments = chance_moments(rate, seconds) if by_chance else even_moments(rate, seconds)
    asked = {"url": web.url, "paths": paths, "moments": moments}
    done = subprocess.run(
        [*load_processor(), sys.executable, "-m", "benchmarks.paced"],
        cwd=ROOT,
        input=orjson.dumps(asked),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Times(*orjson.loads(done.stdout))


class Client:
    """Some connections, and the requests that wait for one; all times are of perf_counter."""

    def __init__(self, host: str, port: int) -> None:
        self.idle = [socket.create_connection((host, port)) for _ in range(CONNECTIONS)]
        self.waiting: collections.deque[tuple[float, bytes]] = collections.deque()
        self.took: list[float] = []
        self.failed = 0
        self._busy: dict[socket.socket, tuple[float, bytearray]] = {}
        for connection in self.idle:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_done(self) -> bool:
        """Whether every request was answered."""
        return not self._busy and not self.waiting

    def send(self) -> None:
        """Send what waits, as far as there are connections."""
        while self.waiting and self.idle:
            due, request = self.waiting.popleft()
            connection = self.idle.pop()
            connection.sendall(request)
            self._busy[connection] = (due, bytearray())

    def receive(self, seconds: float) -> None:
        """Wait so long at most, and take in what has come."""
        for connection in select.select(list(self._busy), (), (), max(seconds, 0))[0]:
            due, answer = self._busy[connection]
            piece = connection.recv(_PIECE)
            if not piece:
                raise ConnectionError("the server has closed a connection")
            answer += piece
            if is_whole(answer):
                self.took.append(time.perf_counter() - due)
                self.failed += not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3"))
                del self._busy[connection]
                self.idle.append(connection)


def is_whole(answer: bytearray) -> bool:
    """Tell whether an answer with a Content-Length has come as a whole."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(answer[:end]).lower()
    length = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
    return len(answer) == end + 4 + length


def ask(client: Client, requests: Sequence[bytes], moments: Sequence[float]) -> None:
    """Send a request at each of the moments, seconds from now, and wait for all answers."""
    start = time.perf_counter()
    place = 0
    while place < len(moments) or not client.is_done:
        now = time.perf_counter() - start
        while place < len(moments) and moments[place] <= now:
            client.waiting.append((start + moments[place], requests[place % len(requests)]))
            place += 1
        client.send()
        until = moments[place] - now if place < len(moments) else 1
        client.receive(until)


def even_moments(rate: float, seconds: float) -> list[float]:
    """Return moments that are equally far from each other."""
    return [number / rate for number in range(int(rate * seconds))]


def chance_moments(rate: float, seconds: float) -> list[float]:
    """Return moments that have nothing to do with each other."""
    chance = random.Random(1)
    moments: list[float] = []
    moment = 0.0
    while (moment := moment + chance.expovariate(rate)) < seconds:
        moments.append(moment)
    return moments


def main() -> None:
    """Read from standard input what to ask for; write the Times as a JSON list."""
    asked = orjson.loads(sys.stdin.buffer.read())
    host, _, port = asked["url"].removeprefix("http://").partition(":")
    requests = [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in asked["paths"]]
    gc.disable()
    client = Client(host, int(port))
    moments = asked["moments"]
    ask(client, requests, moments)
    quantiles = [1_000 * quantile for quantile in statistics.quantiles(client.took, n=100)]
    times = Times(
        len(client.took) / moments[-1],
        quantiles[49],
        quantiles[98],
        1_000 * max(client.took),
        client.failed,
    )
    click.echo(orjson.dumps(tuple(times)).decode())


if __name__ == "__main__":
    main()
