"""`make demo-bigquery`: log lines of downloads, through BigQuery's emulator, to the running site.

Parses log lines with PyPI's own parser, multiplies the rows over packages and days, loads them into
the emulator, runs `flask ingest` and the server, and compares every number that the API and the
pages give with a count of the rows. `--serve` keeps the site running.
"""

import argparse
import contextlib
import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pypistats.embedded import PostgresServer
from tests.bigquery_emulator import ROOT, Emulator
from tests.cdn_log import agent_rows, file_rows, multiply
from tests.download_rows import Row, aggregate
from tests.network import free_port
from tests.site_check import Get, check_site

PACKAGES = (
    "boto3", "urllib3", "requests", "setuptools", "certifi", "packaging", "numpy", "six", "pip",
    "typing-extensions", "python-dateutil", "botocore", "idna", "pyyaml", "cryptography", "pandas",
    "pydantic", "click", "attrs", "jinja2", "flask", "zope-interface", "backports-zoneinfo", "a",
)  # fmt: skip
LAST_DAY = dt.date(2026, 3, 31)
START_SECONDS = 30


def main() -> None:
    """Run the demo; exit with 1 if a number differs."""
    options = _options()
    days = [LAST_DAY - dt.timedelta(days=number) for number in reversed(range(options.days))]
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        rows = list(multiply(_templates(options.input), PACKAGES, days, options.rows))
        say(f"{len(rows):,} rows of {len(PACKAGES)} packages and {len(days)} days")
        environ = stack.enter_context(_services(folder, rows))
        _flask(environ, "db", "upgrade")
        start = time.monotonic()
        _flask(environ, "ingest", f"{days[0]}..{days[-1]}", "--source", "bigquery")
        say(f"ingested in {time.monotonic() - start:.1f} s")
        url = stack.enter_context(_site(environ, options.port or free_port()))
        compared, faults = check_site(_getter(url), aggregate(rows, days[0], days[-1]))
        say(f"{compared:,} numbers compared, {len(faults)} answers differ")
        for fault in faults:
            say(fault)
        if options.serve:
            say(f"{url}/packages/{PACKAGES[0]} until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(86_400)
    sys.exit(1 if faults else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--input", type=Path, nargs="*", help="files of log lines or user agents")
    parser.add_argument("--port", type=int, help="the site's port; by default a free one")
    parser.add_argument("--serve", action="store_true", help="keep the site running")
    return parser.parse_args()


def say(text: str) -> None:
    """Print one step."""
    sys.stdout.write(f"demo: {text}\n")
    sys.stdout.flush()


def _templates(paths: list[Path] | None) -> list[Row]:
    """Return the rows to multiply: of the files, or of the log lines written for this."""
    if not paths:
        return agent_rows()
    return file_rows(line for path in paths for line in path.read_text().splitlines())


@contextlib.contextmanager
def _services(folder: Path, rows: list[Row]) -> Iterator[dict[str, str]]:
    """Run the emulator, with the rows in it, and PostgreSQL; give the environment they need."""
    postgres = PostgresServer(folder / "postgres")
    emulator = Emulator(folder)
    try:
        start = time.monotonic()
        emulator.put(rows)
        say(f"BigQuery's emulator has them, after {time.monotonic() - start:.1f} s")
        postgres.start()
        yield os.environ | {
            "BIGQUERY_EMULATOR_HOST": emulator.url,
            "DATABASE_URL": postgres.url,
            "FLASK_APP": "pypistats",
        }
    finally:
        emulator.stop()
        postgres.stop()


def _flask(environ: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "flask", *arguments], env=environ, cwd=ROOT, check=True)


@contextlib.contextmanager
def _site(environ: dict[str, str], port: int) -> Iterator[str]:
    """Run the site as in production; give its address."""
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "pypistats.server"]
    settings = {"HOST": "127.0.0.1", "PORT": str(port)}
    process = subprocess.Popen(command, env=environ | settings, cwd=ROOT)
    try:
        _await_site(url)
        say(f"the site runs at {url}")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await_site(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def _getter(url: str) -> Get:
    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{url}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return get


if __name__ == "__main__":
    main()
