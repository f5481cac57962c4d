"""A server elsewhere, as a test writes it: it answers by path, and keeps what came."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

DRIP_SECONDS = 0.02


class Request(NamedTuple):
    """What a client sent."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: bytes


Script = Callable[["Handler"], None]


def answer(content: bytes, status: int = 200, **headers: str) -> Script:
    """Answer with `content`; `_` in the names of headers stands for `-`."""
    return lambda handler: handler.answer(status, content, headers)


def hang(handler: "Handler") -> None:
    """Take the request and never answer."""
    handler.server.closing.wait()


def cut(handler: "Handler") -> None:
    """Promise a long answer and close the connection after its start."""
    handler.start(200, {"Content-Length": "100000"})
    handler.wfile.write(b'["day')


def drip(handler: "Handler") -> None:
    """Answer without end, a byte at a time, never so slowly that a wait for a byte gives up."""
    handler.start(200, {"Content-Length": "100000"})
    while not handler.server.closing.wait(DRIP_SECONDS):
        handler.wfile.write(b" ")


class ScriptedServer(ThreadingHTTPServer):
    """The server, served from a thread; `url` is where it listens.

    A path without a script of its own gets that of `*`, or 404.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.scripts: dict[str, Script] = {}
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def script(self, request: Request) -> Script:
        """Keep the request; return what answers it."""
        self.requests.append(request)
        return self.scripts.get(request.path) or self.scripts.get("*") or answer(b"", 404)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that have gone."""

    def close(self) -> None:
        """Stop serving."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """Reads one request and lets its script answer."""

    server: ScriptedServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""

    def start(self, status: int, headers: dict[str, str]) -> None:
        """Send the head of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer."""
        self.start(status, {"Content-Length": str(len(content)), **headers})
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        address = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(address.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(address.path, parameters, dict(self.headers), body)
        self.server.script(request)(self)
