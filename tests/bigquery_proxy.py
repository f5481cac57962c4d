"""What the emulator lacks: a proxy before it that knows bytes, enforces limits, and records.

It answers dry runs with `dry_run_bytes`, bills `run_bytes`, and fails a query whose
`maximumBytesBilled` is less, with BigQuery's reason. `fail` puts a fault in the place of an answer.
"""

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

Document = dict[str, Any]
HOP_HEADERS = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Call(NamedTuple):
    """A request as the client sent it; `kind` is dry-run, query, job or page."""

    kind: str
    path: str
    parameters: dict[str, str]
    body: Document

    @property
    def query(self) -> Document:
        """The query's part of a job's configuration."""
        return dict(self.body["configuration"]["query"])


Fault = Callable[["Handler"], None]


def status(code: int, reason: str, message: str = "no") -> Fault:
    """Return a fault that answers with an error document of Google's form."""
    errors = [{"reason": reason, "message": message, "domain": "global"}]
    document = {"error": {"code": code, "message": message, "errors": errors}}
    return lambda handler: handler.answer(code, json.dumps(document).encode())


def body(content: bytes) -> Fault:
    """Return a fault that answers 200 with `content`."""
    return lambda handler: handler.answer(200, content)


def cut(handler: "Handler") -> None:
    """Promise a long answer and close the connection after its start."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"kind": "bigquery#')
    handler.close_connection = True


def hang(handler: "Handler") -> None:
    """Take the request and never answer."""
    handler.server.closing.wait()
    handler.close_connection = True


class Proxy(ThreadingHTTPServer):
    """The proxy, served from a thread; `url` is where it listens."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.dry_run_bytes = self.run_bytes = 1_000
        self.calls: list[Call] = []
        self.closing = threading.Event()
        self._faults: dict[str, tuple[Fault, int]] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def fail(self, kind: str, fault: Fault, *, after: int = 0) -> None:
        """Put `fault` in place of answers to calls of `kind`, after the first `after` of them."""
        self._faults[kind] = (fault, after)

    def heal(self) -> None:
        """Answer everything again."""
        self._faults.clear()

    def mend(self, kind: str) -> None:
        """Answer calls of `kind` again."""
        del self._faults[kind]

    def of(self, kind: str) -> list[Call]:
        """Return the calls of a kind."""
        return [call for call in self.calls if call.kind == kind]

    def record(self, call: Call) -> Fault | None:
        """Keep the call; return what must be done in place of answering it."""
        self.calls.append(call)
        fault, after = self._faults.get(call.kind, (None, 0))
        return fault if len(self.of(call.kind)) > after else None

    def close(self) -> None:
        """Stop serving."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """Passes one request on and adds bytes to the answer."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""

    def answer(self, code: int, content: bytes) -> None:
        """Answer with a JSON body."""
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self._call(json.loads(content or b"{}"))
        fault = self.server.record(call)
        if fault is not None:
            fault(self)
        elif call.kind == "dry-run":
            self.answer(200, json.dumps(self._dry_run(call)).encode())
        elif call.kind == "query" and self._breaks_limit(call):
            self.answer(200, json.dumps(self._broken_limit(call)).encode())
        else:
            self.answer(*self._pass_on(call, content))

    def _call(self, document: Document) -> Call:
        address = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(address.query).items()}
        if self.command == "POST":
            dry_run = document["configuration"].get("dryRun")
            return Call("dry-run" if dry_run else "query", address.path, parameters, document)
        kind = "page" if "/queries/" in address.path else "job"
        return Call(kind, address.path, parameters, document)

    def _dry_run(self, call: Call) -> Document:
        """Return a dry run's job; the emulator would run the query for it."""
        processed = {"totalBytesProcessed": str(self.server.dry_run_bytes)}
        statistics = {**processed, "query": processed}
        done = {"state": "DONE"}
        return {**call.body, "kind": "bigquery#job", "status": done, "statistics": statistics}

    def _breaks_limit(self, call: Call) -> bool:
        return int(call.query["maximumBytesBilled"]) < self.server.run_bytes

    def _broken_limit(self, call: Call) -> Document:
        """Return a job that failed as BigQuery fails it."""
        error = {
            "reason": "bytesBilledLimitExceeded",
            "message": f"Query exceeded limit for bytes billed: {call.query['maximumBytesBilled']}."
            f" {self.server.run_bytes} or higher required.",
        }
        failed = {"state": "DONE", "errorResult": error, "errors": [error]}
        return {**call.body, "kind": "bigquery#job", "status": failed, "statistics": {}}

    def _pass_on(self, call: Call, content: bytes) -> tuple[int, bytes]:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {"Content-Type": "application/json"} if content else {}
        upstream.request(self.command, self.path, content or None, headers)
        response = upstream.getresponse()
        answer = response.read()
        upstream.close()
        if response.status == 200 and call.kind != "page":
            answer = json.dumps(self._with_bytes(json.loads(answer))).encode()
        return response.status, answer

    def _with_bytes(self, document: Document) -> Document:
        billed = str(self.server.run_bytes)
        statistics = document.setdefault("statistics", {})
        statistics["query"] = {**statistics.get("query", {}), "totalBytesBilled": billed}
        return document
