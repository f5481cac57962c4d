"""How much is answered at most, asked by wrk, from a processor of its own."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import click
import orjson

from benchmarks.web import Web, load_processor

CONNECTIONS = 8
NEEDED = "wrk is missing: on Debian, apt-get install wrk"

_SCRIPT = """
local paths = {%s}
local place = 0
request = function()
  place = place %% #paths + 1
  return wrk.format("GET", paths[place])
end
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.timeout
  io.write(string.format('\\nresult [%%d,%%f,%%f,%%f,%%d]\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
"""


class Load(NamedTuple):
    """What a load has come to: requests and seconds, milliseconds, and failed requests."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu(self) -> float:
        """Milliseconds of processor time for a request."""
        return 1_000 * self.cpu_seconds / self.requests


def require() -> None:
    """Raise an error that says how to install wrk, unless it is there."""
    if shutil.which("wrk") is None:
        raise click.ClickException(NEEDED)


def load(web: Web, paths: Sequence[str], seconds: float, *headers: str) -> Load:
    """Ask for the paths one after the other, as fast as answers come."""
    options = [word for header in headers for word in ("-H", header)]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % ",".join(f'"{path}"' for path in paths))
        script.flush()
        before = web.cpu_seconds()
        done = subprocess.run(
            [*load_processor(), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", script.name,
             *options, web.url],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        taken = web.cpu_seconds() - before
    result = done.stdout.rpartition("result ")[2]
    return Load(*orjson.loads(result), cpu_seconds=taken)
