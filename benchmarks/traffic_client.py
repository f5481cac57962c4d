"""The clients of `benchmarks.traffic`: a process of its own that asks, and notes what it gets.

It compares no more while it asks than whether the same tag brings the same bytes, so that it takes
little of the processors that it shares with the site. What it was given is written to a file, for
`benchmarks.traffic_truth` to judge. Lines on its standard input tell it what to do: `rate 500`,
`label NAME`, under which answers are noted from then on, and `stop`.
"""

import asyncio
import gc
import os
import pickle
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

ASKS_AGAIN = 0.1
"""The part of the requests that tell what the client has, as browsers and caches do."""

PATIENCE = 30
"""Seconds after which an answer will not come any more."""


class Request(NamedTuple):
    """What is asked for; `package` is None for a name that nobody has."""

    kind: str
    path: str
    package: str | None
    encodings: str


class Note(NamedTuple):
    """One answer: when it came, how long it took, and what it was. `fault` is None for none."""

    label: str
    came_at: float
    seconds: float
    request: Request
    status: int
    tag: str
    fault: str | None


class Body(NamedTuple):
    """The bytes that came with a tag, and how they were compressed."""

    request: Request
    status: int
    encoding: str
    content: bytes


class Plan(NamedTuple):
    """All that the process is told at its start."""

    host: str
    port: int
    clients: int
    requests: Sequence[Request]
    noted: Path


class Notes(NamedTuple):
    """What the process writes at its end; bodies are by path and tag."""

    answers: list[Note]
    bodies: dict[tuple[str, str], Body]


class Clients:
    """All clients, which take their requests from one list."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.label = "warm"
        self.think = 1.0
        self.random = Random(3)
        self.notes = Notes([], {})
        self.running = True
        self.ended = asyncio.Event()
        self._hashes: dict[tuple[str, str], int] = {}
        self._tags: dict[str, str] = {}
        self._place = 0

    def command(self) -> None:
        """Do what the lines on the standard input say."""
        for line in os.read(sys.stdin.fileno(), 65_536).decode().splitlines():
            word, _, value = line.partition(" ")
            if word == "rate":
                self.think = self.plan.clients / float(value)
            elif word == "label":
                self.label = value
            else:
                asyncio.get_running_loop().remove_reader(sys.stdin)
                self.running = False
                self.ended.set()

    def pause(self) -> float:
        """Return how long a client waits before it asks again."""
        return self.random.expovariate(1 / self.think)

    def next_request(self) -> tuple[Request, str]:
        """Return what is asked for next, and the tag of what the client has of it, if any."""
        request = self.plan.requests[self._place % len(self.plan.requests)]
        self._place += 1
        asks_again = self.random.random() < ASKS_AGAIN
        return request, self._tags.get(request.path, "") if asks_again else ""

    def note(self, request: Request, seconds: float, head: "Head", content: bytes) -> None:
        """Note an answer, and keep its bytes if they are the first under their tag."""
        fault = None
        key = request.path, head.tag
        if head.status != 304:
            hashed = hash(content)
            if self._hashes.setdefault(key, hashed) != hashed:
                fault = "other bytes under the same tag"
            if key not in self.notes.bodies:
                self.notes.bodies[key] = Body(request, head.status, head.encoding, content)
            self._tags[request.path] = head.tag
        elif key not in self._hashes:
            fault = "a tag that never was"
        self.fail_or_note(request, seconds, head.status, head.tag, fault)

    def fail_or_note(
        self, request: Request, seconds: float, status: int, tag: str, fault: str | None
    ) -> None:
        """Note what became of a request."""
        note = Note(self.label, time.time(), seconds, request, status, tag, fault)
        self.notes.answers.append(note)


class Head(NamedTuple):
    """What an answer's head tells; `length` is None where it doesn't."""

    status: int
    length: int | None
    tag: str
    encoding: str

    @classmethod
    def read(cls, head: bytes) -> "Head":
        """Read the lines before an answer's bytes."""
        lines = head.decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        status = int(lines[0][9:12])
        length = 0 if status == 304 else fields.get("content-length")
        return cls(
            status,
            None if length is None else int(length),
            fields.get("etag", ""),
            fields.get("content-encoding", ""),
        )


class Client(asyncio.Protocol):
    """One client: asks, waits for the answer, thinks, and asks again on the same connection."""

    def __init__(self, clients: Clients, number: int) -> None:
        self._clients = clients
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._head: Head | None = None
        self._request: Request | None = None
        self._begun = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to think."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = self._loop.call_later(self._clients.pause(), self._ask)

    def _ask(self) -> None:
        assert self._transport
        self._request, tag = self._clients.next_request()
        address = f"10.{self._number // 250}.{self._number % 250}.1"
        condition = f"If-None-Match: {tag}\r\n" if tag else ""
        self._begun = time.perf_counter()
        self._timer = self._loop.call_later(PATIENCE, self._transport.abort)
        self._transport.write(
            f"GET {self._request.path} HTTP/1.1\r\nHost: pypistats.example\r\n"
            f"X-Forwarded-For: {address}\r\nAccept-Encoding: {self._request.encodings}\r\n"
            f"{condition}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take bytes of an answer, and think once all are there."""
        self._buffer += data
        if self._head is None:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            self._head, self._buffer = Head.read(head), rest
        if self._head.length is not None and len(self._buffer) >= self._head.length:
            self._finish(time.perf_counter() - self._begun)

    def _finish(self, seconds: float) -> None:
        assert self._head
        assert self._request
        assert self._timer
        self._timer.cancel()
        self._clients.note(self._request, seconds, self._head, self._buffer)
        self._buffer, self._head, self._request = b"", None, None
        self._timer = self._loop.call_later(self._clients.pause(), self._ask)

    def connection_lost(self, _error: Exception | None) -> None:
        """Note the answer that will not come, and connect anew."""
        if self._timer:
            self._timer.cancel()
        if not self._clients.running:
            return
        if self._request is not None:
            seconds = time.perf_counter() - self._begun
            self._clients.fail_or_note(self._request, seconds, 0, "", "the connection was cut")
        self._loop.call_later(
            1, lambda: self._loop.create_task(connect(self._clients, self._number))
        )


async def connect(clients: Clients, number: int) -> None:
    """Connect a client."""
    loop = asyncio.get_running_loop()
    plan = clients.plan
    await loop.create_connection(lambda: Client(clients, number), plan.host, plan.port)


async def ask(plan: Plan) -> Notes:
    """Run all clients until told to stop."""
    clients = Clients(plan)
    for number in range(plan.clients):
        await connect(clients, number)
    asyncio.get_running_loop().add_reader(sys.stdin, clients.command)
    print("connected", flush=True)
    await clients.ended.wait()
    return clients.notes


def main() -> None:
    """Read the plan that the first argument names, ask as it says, and write the notes."""
    told: Plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    # What is noted is never garbage, and looking for some would hold up the clients.
    gc.disable()
    told.noted.write_bytes(pickle.dumps(asyncio.run(ask(told))))
