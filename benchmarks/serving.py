"""What serving costs: `make bench-serving`, which needs `wrk` (Debian's package of that name).

It fills a PostgreSQL of its own, and starts the Procfile's web process beside a bare WSGI hello
with the same settings, one worker each. wrk runs on the last processor, all else on the first.
Ratios are of one run; processor time is what /proc counts for the web processes, PostgreSQL and
Valkey together.
"""

import contextlib
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import flask_migrate
import psutil
from sqlalchemy import text

from benchmarks.load import DAY, Bench, server
from benchmarks.package_days import ALL_OF_PYPI, GeneratedSource, generate, package_name
from pypistats import create_app, ingest, store
from pypistats.embedded import ValkeyServer
from pypistats.extensions import db
from pypistats.partitions import ensure_partition
from tests.network import free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent
SITE, HELLO = "pypistats:create_app()", "benchmarks.hello:app"
CONNECTIONS = 8
SECONDS_ONCE = 2
"""So short that no package is asked for a second time: what is made is measured, not kept."""

CACHED = {
    "recent, as JSON": "/api/packages/{name}/recent",
    "badge, as SVG": "/badge/{name}.svg",
    "series by system, br": "/api/packages/{name}/system",
    "package's page, br": "/packages/{name}",
}
UNCACHED = {
    "recent": "/api/packages/{name}/recent",
    "series, overall": "/api/packages/{name}/overall",
    "series, python_minor": "/api/packages/{name}/python_minor",
    "series, system": "/api/packages/{name}/system",
    "package's page": "/packages/{name}",
}


@click.command()
@click.option("--packages", type=click.IntRange(1, ALL_OF_PYPI), default=6_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 365), default=180, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=5, show_default=True)
def main(packages: int, days: int, seconds: int) -> None:
    """Measure answers that are kept and answers that are not, and print a table."""
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk is missing: on Debian, apt-get install wrk")
    os.sched_setaffinity(0, {0})
    with server() as bench, _valkey() as valkey:
        click.echo(f"making {days} days of {packages:,} packages (not measured)")
        _fill(bench.folder, bench.url, packages, days)
        limits = {"RATE_LIMIT_CACHED": "off", "RATE_LIMIT_COMPUTED": "off"}
        environ = {"DATABASE_URL": bench.url, "REDIS_URL": valkey, **limits}
        names = [package_name(int(n * ALL_OF_PYPI / packages), DAY) for n in range(packages)]
        _print("", "requests/s", "of hello", "CPU ms", "p50 ms", "p99 ms")
        with _serving(HELLO, environ) as hello:
            base = _measure(bench, "bare hello", hello, ["/"], seconds)
        with _serving(SITE, environ) as site:
            for title, path in UNCACHED.items():
                paths = [path.format(name=name) for name in names]
                _measure(bench, f"made: {title}", site, paths, SECONDS_ONCE)
        with _serving(SITE, environ) as site:
            for title, path in CACHED.items():
                paths = [path.format(name=names[0])]
                _measure(bench, f"kept: {title}", site, paths, seconds, base=base)
            path = CACHED["recent, as JSON"].format(name=names[0])
            with urllib.request.urlopen(site + path) as response:
                etag = response.headers["ETag"]
            _measure(bench, "kept: 304", site, [path], seconds, base=base, etag=etag)


def _fill(folder: Path, url: str, packages: int, days: int) -> None:
    """Ingest one day, and repeat it for those before: the sizes are what matters here."""
    generate(folder, DAY, packages)
    app = create_app({"DATABASE_URL": url})
    with app.app_context():
        flask_migrate.upgrade()
        ingest.ingest_day(DAY, GeneratedSource(folder))
        with store.transaction():
            for age in range(1, days):
                _repeat(age)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze"))
        db.engine.dispose()


def _repeat(age: int) -> None:
    day = DAY - dt.timedelta(days=age)
    ensure_partition(day)
    values = {"day": day, "newest": DAY}
    columns = "with_mirrors, without_mirrors, python_minor, system, installer, version"
    db.session.execute(
        text(
            f"insert into daily (package_id, day, {columns})"
            f" select package_id, :day, {columns} from daily where day = :newest"
        ),
        values,
    )


@contextlib.contextmanager
def _valkey() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pypistats-bench-") as folder:
        valkey = ValkeyServer(Path(folder))
        valkey.start()
        try:
            yield valkey.url
        finally:
            valkey.stop()


@contextlib.contextmanager
def _serving(app: str, environ: dict[str, str]) -> Iterator[str]:
    """Run gunicorn as the Procfile does, with one worker; give its address."""
    port = free_port()
    settings = environ | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "MALLOC_ARENA_MAX": "2",
        "PATH": os.environ["PATH"],
    }
    gunicorn = Path(sys.executable).parent / "gunicorn"
    with subprocess.Popen(
        [gunicorn, app], cwd=ROOT, env=settings, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _measure(
    bench: Bench,
    title: str,
    address: str,
    paths: Sequence[str],
    seconds: int,
    *,
    base: float | None = None,
    etag: str | None = None,
) -> float:
    """Ask for the paths one after the other, and print a line; return the requests a second."""
    # What is made is measured without compressing it, which most scripts do not ask for.
    headers = [] if base is None else ["-H", "Accept-Encoding: br"]
    if etag is not None:
        headers += ["-H", f"If-None-Match: {etag}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        listed = ",".join(f'"{path}"' for path in paths)
        script.write(
            f"local paths={{{listed}}} local n=0\n"
            "request=function() n=n%#paths+1 return wrk.format('GET',paths[n]) end\n"
        )
        script.flush()
        before = _cpu(bench.postmaster)
        done = subprocess.run(
            ["taskset", "-c", str((os.cpu_count() or 1) - 1), "wrk", "--latency", "-t1",
             f"-c{CONNECTIONS}", f"-d{seconds}", "-s", script.name, *headers, address],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    taken = _cpu(bench.postmaster) - before
    count = int(_found(r"(\d+) requests in", done.stdout))
    rate = float(_found(r"Requests/sec: +([\d.]+)", done.stdout))
    failed = "Non-2xx" in done.stdout and etag is None
    _print(
        title + (" (failed in part)" if failed else ""),
        f"{rate:,.0f}",
        "" if base is None else f"{rate / base:.2f}",
        f"{1_000 * taken / count:.2f}",
        _found(r"50% +(\S+)", done.stdout),
        _found(r"99% +(\S+)", done.stdout),
    )
    return rate


def _found(pattern: str, written: str) -> str:
    match = re.search(pattern, written)
    assert match, written
    return match[1]


def _cpu(postmaster: int) -> float:
    """Return the seconds that the processes which serve have had: this one's, and PostgreSQL's."""
    seconds = 0.0
    for parent in (psutil.Process(), psutil.Process(postmaster)):
        for process in parent.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system
    return seconds


def _print(title: str, *cells: str) -> None:
    click.echo(f"{title:34}" + "".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    main()
