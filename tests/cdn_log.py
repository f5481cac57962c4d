"""Log lines of downloads as PyPI's CDN writes them, and the rows that PyPI's own parser makes.

The lines are made up, in the real form and with user agents as installers send them. One line per
user agent is parsed, by PyPI's `linehaul`, and `multiply` spreads the rows over packages and days.
"""

import datetime as dt
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attr
from linehaul.events.parser import Download, parse

from tests.download_rows import Row

_GLIBC = {"lib": "glibc", "version": "2.41"}
_DEBIAN = {"id": "trixie", "libc": _GLIBC, "name": "Debian GNU/Linux", "version": "13"}
_UBUNTU = {"id": "noble", "libc": _GLIBC, "name": "Ubuntu", "version": "24.04"}
_MACOS = {"name": "macOS", "version": "15.3"}
_LINUX = {"name": "Linux", "release": "6.12.9-cloud-amd64"}
_WINDOWS = {"name": "Windows", "release": "11"}
_DARWIN = {"name": "Darwin", "release": "24.3.0"}
_FREEBSD = {"name": "FreeBSD", "release": "14.2-RELEASE"}


def _pip(version: str, python: str, system: Row | None, distro: Row | None, **more: Any) -> str:
    """Return pip's user agent: its name, its version and what it tells, as JSON."""
    told = {
        "ci": None,
        "cpu": "x86_64",
        "distro": distro,
        "implementation": {"name": "CPython", "version": python},
        "installer": {"name": "pip", "version": version},
        "openssl_version": "OpenSSL 3.4.1 11 Feb 2025",
        "python": python,
        "setuptools_version": "75.8.0",
        "system": system,
    } | more
    known = {name: value for name, value in told.items() if value is not None or name == "ci"}
    return f"pip/{version} {json.dumps(known, separators=(',', ':'), sort_keys=True)}"


def _uv(version: str, python: str | None, system: Row, distro: Row | None) -> str:
    """Return uv's user agent, which has pip's form in another order, with nulls."""
    subcommand = ["pip", "install"]
    told = {
        "installer": {"name": "uv", "version": version, "subcommand": subcommand},
        "python": python,
        "implementation": {"name": "CPython", "version": python},
        "distro": distro,
        "system": system,
        "cpu": "aarch64",
        "openssl_version": None,
        "setuptools_version": None,
        "rustc_version": None,
        "ci": True,
    }
    return f"uv/{version} {json.dumps(told, separators=(',', ':'))}"


_PYPY = {"implementation": {"name": "PyPy", "version": "7.3.19"}}
_SUBCOMMAND = {"installer": {"name": "pip", "version": "26.1", "subcommand": ["install"]}}

AGENTS: tuple[tuple[int, str], ...] = (
    (160, _pip("25.3", "3.12.9", _LINUX, _DEBIAN)),
    (110, _pip("26.0.1", "3.13.2", _LINUX, _UBUNTU, ci=True)),
    (90, _pip("24.0", "3.11.11", _LINUX, _DEBIAN)),
    (60, _pip("23.0.1", "3.10.16", _LINUX, _UBUNTU, rustc_version="1.84.1")),
    (40, _pip("22.0.4", "3.9.21", _LINUX, None)),
    (30, _pip("21.2.4", "3.8.20", _LINUX, _DEBIAN)),
    (25, _pip("26.0", "3.12.8", _WINDOWS, None, cpu="AMD64")),
    (20, _pip("25.0", "3.13.1", _DARWIN, _MACOS, cpu="arm64")),
    (12, _pip("26.1", "3.14.0", _LINUX, _UBUNTU, **_SUBCOMMAND)),
    (6, _pip("26.1", "3.14.0rc1", _DARWIN, _MACOS)),
    (5, _pip("26.1", "3.15.0a2", _LINUX, _UBUNTU)),
    (5, _pip("20.3.4", "2.7.18", _LINUX, _DEBIAN)),
    (3, _pip("20.0.2", "2.7.18+", _LINUX, _UBUNTU)),
    (4, _pip("24.3", "3.10.14", _LINUX, _DEBIAN, **_PYPY)),
    (3, _pip("24.2", "3.11.9", _FREEBSD, None)),
    (3, _pip("24.2", "3.12.1", None, None)),
    (2, _pip("19.1", "3.100.1", _LINUX, None)),
    (2, _pip("19.1", "3", _LINUX, None)),
    (2, _pip("19.1", "3.x", _WINDOWS, None)),
    (1, _pip("19.1", "", _LINUX, None)),
    (1, _pip("9.0.1", "3.4.10", {"name": "Linüx \"\\x\"", "release": "1"}, None)),
    (2, "pip/1.5.6 CPython/2.7.9 Linux/3.16.0-4-amd64"),
    (1, "pip/1.4.1 unknown/unknown unknown/unknown"),
    (120, _uv("0.9.28", "3.12.9", _LINUX, _DEBIAN)),
    (80, _uv("0.10.2", "3.13.2", _LINUX, _UBUNTU)),
    (15, _uv("0.10.2", "3.14.2", _DARWIN, _MACOS)),
    (10, _uv("0.8.0", "3.11.11", _WINDOWS, None)),
    (5, _uv("0.7.1", None, _LINUX, None)),
    (25, "poetry/2.1.1 CPython/3.12.9 Linux/6.8.0-1021-azure"),
    (4, "poetry/1.8.3 CPython/3.11.9 Darwin/23.6.0"),
    (6, "pdm/2.22.3 CPython/3.12.9"),
    (20, "bandersnatch/6.6.0 (cpython 3.12.8-final0, Linux x86_64)"),
    (8, "Artifactory/7.98.14"),
    (6, "devpi-server/6.14.0 (py3.11.11; linux)"),
    (1, "z3c.pypimirror/1.0.16"),
    (7, "Nexus/3.77.1-01 (PRO; Linux; 5.10.0; amd64; 17.0.13)"),
    (1, "pep381client/1.5"),
    (15, "python-requests/2.32.3"),
    (2, "python-requests/2.9.1 CPython/3.5.1 Linux/4.2.0"),
    (3, "setuptools/40.8 Python-urllib/3.7"),
    (2, "Python-urllib/3.8 setuptools/41.2"),
    (2, "Python-urllib/2.7 distribute/0.6.49"),
    (4, "Python-urllib/3.9"),
    (4, "conda/24.11.3 requests/2.32.3 CPython/3.12.8 Linux/6.8.0"),
    (3, "pex/2.33.1"),
    (2, "maturin/1.8.1"),
    (1, "twine/6.1.0 CPython/3.13.1"),
    (2, "Bazel/release 8.0.1"),
    (2, "Homebrew/4.4.19 (Macintosh; Intel macOS 15.3) curl/8.7.1"),
    (9, "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"),
    (3, "curl/8.12.1"),
    (2, "fetch libfetch/2.0"),
    (10, "corporate-cache/3.1 (unknown to the parser)"),
    (3, "Java/17.0.13"),
    (3, "(null)"),
)  # fmt: skip
"""User agents, and how often each comes. The parser drops the last two, as PyPI does."""


def log_line(agent: str, number: int = 0) -> str:
    """Return a download by `agent`, as a line of the log."""
    stamp = dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
    path = f"/packages/{number % 256:02x}/7d/{number:060x}/example_{number}-1.{number}.tar.gz"
    return "|".join(
        (
            "download",
            f"{stamp:%a, %d %b %Y %H:%M:%S} GMT",
            ("US", "FI", "IN", "BR")[number % 4],
            path,
            "TLSv1.3",
            "TLS_AES_256_GCM_SHA384",
            f"example-{number}",
            f"1.{number}",
            "sdist",
            agent,
        )
    )


def parse_line(line: str) -> Row | None:
    """Return the row that PyPI logs for a line; None for an agent that it does not log."""
    download = parse(line)
    if download is None:
        return None
    assert isinstance(download, Download)
    row: Row = attr.asdict(download)
    row["file"]["type"] = download.file.type.value
    installer = (row["details"] or {}).get("installer")
    if installer and installer["subcommand"] is not None:
        installer["subcommand"] = " ".join(installer["subcommand"])
    return row


def agent_rows() -> list[Row]:
    """Return a row per user agent that PyPI logs, as often as each comes."""
    parsed = [(parse_line(log_line(text, number)), n) for number, (n, text) in enumerate(AGENTS)]
    return [row for row, count in parsed if row is not None for _ in range(count)]


def file_rows(lines: Iterable[str]) -> list[Row]:
    """Return the rows of a log's lines, or of lines that are user agents only."""
    logged = (line if line.startswith("download|") else log_line(line) for line in lines)
    return [row for row in map(parse_line, logged) if row is not None]


def multiply(
    rows: Sequence[Row], packages: Sequence[str], days: Sequence[dt.date], count: int
) -> Iterator[Row]:
    """Yield `count` rows, the same each time: the first packages have most of them.

    Each package has releases enough that the tail is cut off for the first ones.
    """
    chance = random.Random(20260301)
    popularity = [1 / (rank + 1) for rank in range(len(packages))]
    chosen = chance.choices(packages, popularity, k=count)
    for row, package in zip(chance.choices(rows, k=count), chosen, strict=True):
        second = chance.choice((0, 86_399, *range(40, 80_000, 7_919)))
        midnight = dt.datetime.combine(chance.choice(days), dt.time(), dt.UTC)
        release = min(int(chance.expovariate(0.12)), 40)
        yield _moved(row, package, f"2.{release}", midnight + dt.timedelta(seconds=second))


def _moved(row: Row, package: str, version: str, timestamp: dt.datetime) -> Row:
    """Return the same download of another package's file, at another time."""
    filename = f"{package}-{version}.tar.gz"
    file = {"filename": filename, "project": package, "version": version, "type": "sdist"}
    return {
        **row,
        "timestamp": timestamp,
        "url": f"/packages/ab/cd/{filename}",
        "project": package,
        "file": file,
    }
