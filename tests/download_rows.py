"""Rows of PyPI's `file_downloads` table: its schema, rows to test with, and what must be counted.

Every source is held against `aggregate`, which counts rows in plain Python by the rules on the FAQ
page and shares no code with any source. Nothing here imports more than the standard library and
`pypistats.catalog` until a conversion needs it.
"""

import datetime as dt
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pypistats.catalog import PackageDay

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud import bigquery

Row = dict[str, Any]
Totals = dict[tuple[dt.date, str], PackageDay]

DAY = dt.date(2026, 3, 15)
"""The day that the edge cases are about."""


class Field(NamedTuple):
    """A column as BigQuery describes it: its type there, and its mode."""

    name: str
    type: str
    required: bool = False
    fields: tuple["Field", ...] = ()


def _strings(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "STRING") for name in names)


_LIBC = Field("libc", "RECORD", fields=_strings("lib", "version"))
_DETAILS = (
    Field("installer", "RECORD", fields=_strings("name", "version", "subcommand")),
    Field("python", "STRING"),
    Field("implementation", "RECORD", fields=_strings("name", "version")),
    Field("distro", "RECORD", fields=(*_strings("name", "version", "id"), _LIBC)),
    Field("system", "RECORD", fields=_strings("name", "release")),
    *_strings("cpu", "openssl_version", "setuptools_version", "rustc_version"),
    Field("ci", "BOOLEAN"),
)
_FILE = tuple(Field(name, "STRING", True) for name in ("filename", "project", "version", "type"))

SCHEMA = (
    Field("timestamp", "TIMESTAMP", True),
    Field("country_code", "STRING"),
    Field("url", "STRING", True),
    Field("project", "STRING", True),
    Field("file", "RECORD", True, _FILE),
    Field("details", "RECORD", fields=_DETAILS),
    *_strings("tls_protocol", "tls_cipher"),
)
"""The whole of `bigquery-public-data.pypi.file_downloads`, in its order."""


# --- rows ---------------------------------------------------------------------------------------


def at(day: dt.date = DAY, hour: int = 12) -> dt.datetime:
    """Return an hour of a UTC day."""
    return dt.datetime.combine(day, dt.time(hour), dt.UTC)


def row(
    project: str,
    timestamp: dt.datetime | None = None,
    *,
    version: str = "1.0.0",
    installer: str | None = "pip",
    python: str | None = "3.12.4",
    system: str | None = "Linux",
    details: bool = True,
) -> Row:
    """Return one download; `timestamp` None is noon of `DAY`.

    An installer or system of None leaves the record out, as PyPI's parser does; `details=False`
    leaves all of them out, as for a user agent that it does not know.
    """
    filename = f"{project}-{version}.tar.gz"
    return {
        "timestamp": timestamp or at(),
        "country_code": "FI",
        "url": f"/packages/ab/cd/{filename}",
        "project": project,
        "file": {"filename": filename, "project": project, "version": version, "type": "sdist"},
        "details": _details(installer, python, system) if details else None,
        "tls_protocol": "TLSv1.3",
        "tls_cipher": "TLS_AES_128_GCM_SHA256",
    }


def _details(installer: str | None, python: str | None, system: str | None) -> Row:
    libc = {"lib": "glibc", "version": "2.39"}
    ubuntu = {"name": "Ubuntu", "version": "24.04", "id": "noble", "libc": libc}
    return {
        "installer": None if installer is None else _installer(installer),
        "python": python,
        "implementation": None if python is None else {"name": "CPython", "version": python},
        "distro": ubuntu if system == "Linux" else None,
        "system": None if system is None else {"name": system, "release": "6.8.0"},
        "cpu": "x86_64",
        "openssl_version": "OpenSSL 3.0.13 30 Jan 2024",
        "setuptools_version": None,
        "rustc_version": None,
        "ci": None,
    }


def _installer(name: str) -> Row:
    return {"name": name, "version": "26.0", "subcommand": "install" if name == "pip" else None}


def _with_null_names(project: str) -> Iterator[Row]:
    """Yield rows whose installer or system is a record without a name in it."""
    for record in ("installer", "system"):
        nameless = row(project)
        nameless["details"][record] = dict.fromkeys(nameless["details"][record])
        yield nameless


PYTHONS = (
    "", "3", "3.x", "3.", ".", "2.7.18+", "3.14.0rc1", "3.9", "3.10.0", "3.100.1", "10.1.0",
    " 3.11", "3.11 ", "x3.11", "3.13.0\n", "3.13\n.1", "\n3.13", "3.7.3-rc", "3.9999999",
    "0.1", "٣.12",
)  # fmt: skip
INSTALLERS = (
    "pip", "uv", "bandersnatch", "z3c.pypimirror", "Artifactory", "devpi", "artifactory", "Nexus",
    "pep381client", "Browser", "", "null", "other", " ", 'q"uo\'te', "back\\slash", "\\u0041",
    "tab\t", "new\nline", "\x01\x1f\x7f", "ünï — 蛇🐍", "\u2028", "</script>", "{}", "a:1,b",
    "x" * 300,
)  # fmt: skip
SYSTEMS = (
    "Windows",
    "Linux",
    "Darwin",
    "FreeBSD",
    "linux",
    "",
    "Java",
    "other",
    "null",
    "CYGWIN_NT-10.0",
)
NORMAL_NAMES = ("a", "0", "zope-interface", "a-1-b", "x" * 128)
OTHER_NAMES = (
    "y" * 129,
    "__all__",
    "A",
    "zope.interface",
    "a_b",
    "a--b",
    "-a",
    "a-",
    "",
    "a b",
    "ünï",
    "a\n",
    "a'b\\",
)


def edge_rows() -> list[Row]:
    """Return the rows that a wrong query counts wrongly, each case under a package of its own."""
    return [*_edge_times(), *_edge_agents(), *_edge_releases(), *_edge_floods(), *_edge_names()]


def _edge_times() -> Iterator[Row]:
    """Yield both ends of the UTC day, inside and outside."""
    instant = dt.timedelta(microseconds=1)
    midnight, next_midnight = at(DAY, 0), at(DAY + dt.timedelta(days=1), 0)
    for timestamp in (midnight - instant, midnight, next_midnight - instant, next_midnight):
        yield row("edge-of-day", timestamp)
    yield row("day-before-only", midnight - instant)
    yield row("day-after-only", next_midnight)


def _edge_agents() -> Iterator[Row]:
    """Yield every user agent that tells little, tells nonsense or belongs to a mirror."""
    yield from (row("edge-null", installer=None), row("edge-null", details=False))
    yield from (row("edge-null", python=None), row("edge-null", system=None))
    yield row("edge-null", installer="bandersnatch", python=None, system=None)
    yield from _with_null_names("edge-null")
    yield from (row("edge-python", python=python) for python in PYTHONS)
    yield from (row("edge-installer", installer=installer) for installer in INSTALLERS)
    yield from (row("edge-system", system=system) for system in SYSTEMS)
    yield from (row("mirrors-only", installer="bandersnatch") for _ in range(3))
    yield row("unknown-installer-only", details=False)
    yield row("malformed-python-only", python="3.x")


def _edge_releases() -> Iterator[Row]:
    """Yield packages with more releases than are kept, with ties at the cut, and odd names."""
    for number in range(30):
        yield from (row("edge-versions", version=f"1.{number:02}") for _ in range(30 - number))
        yield from (row("edge-ties", version=f"2.{number:02}") for _ in range(2))
        yield from (row("edge-tail", version=f"3.{number:02}") for _ in range(2))
        yield row("edge-versions", version=f"1.{number:02}", installer="devpi")
    yield from (row("edge-tail", version="other") for _ in range(5))
    yield from (
        row("edge-labels", version=version) for version in ("other", "null", "", '1!2+ü\\"x')
    )


def _edge_floods() -> Iterator[Row]:
    """Yield more installers, Pythons and systems than the maps keep."""
    for number in range(130):
        agent = row(
            "edge-flood",
            installer=f"bot-{number:03}",
            python=f"3.{number}.1",
            system=f"system-{number}",
        )
        yield from [agent] * (1 + number % 3)


def _edge_names() -> Iterator[Row]:
    yield from (row(name) for name in (*NORMAL_NAMES, *OTHER_NAMES))


# --- what must be counted -----------------------------------------------------------------------

_VALID_PYTHON = re.compile(r"[0-9]\.[0-9]+[^\n]*")
_PYTHON_MINOR = re.compile(r"[0-9]+\.[0-9]+")
_NORMAL_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MIRRORS = {"bandersnatch", "z3c.pypimirror", "Artifactory", "devpi"}
_KEPT = {"python_minor": 100, "system": 100, "installer": 100, "version": 20}


def aggregate(
    rows: Iterable[Row], since: dt.date, until: dt.date, packages: Collection[str] | None = None
) -> Totals:
    """Count `rows` of `since` to `until`, both inclusive, by day and package.

    `packages` None means every package. The caps are the site's: 20 releases, 100 of the others.
    """
    counts: dict[tuple[dt.date, str], dict[str, Counter[str]]] = defaultdict(
        lambda: {dimension: Counter() for dimension in _KEPT}
    )
    for download in rows:
        day, package = download["timestamp"].astimezone(dt.UTC).date(), download["project"]
        if since <= day <= until and (packages is None or package in packages):
            _count(download, counts[day, package])
    return {
        (day, package): _package_day(day, package, maps)
        for (day, package), maps in sorted(counts.items())
        if maps["installer"]
    }


def _count(download: Row, maps: dict[str, Counter[str]]) -> None:
    """Add one row to the maps of its package and day, if it counts at all."""
    details = download["details"] or {}
    python: str | None = details.get("python")
    name: str = download["project"]
    if python is not None and not _VALID_PYTHON.fullmatch(python):
        return
    if len(name) > 128 or not _NORMAL_NAME.fullmatch(name):
        return
    installer: str | None = (details.get("installer") or {}).get("name")
    maps["installer"]["null" if installer is None else installer] += 1
    if installer is None or installer in _MIRRORS:
        return
    minor = _PYTHON_MINOR.match(python or "")
    maps["python_minor"][minor[0] if minor else "null"] += 1
    maps["system"][_system((details.get("system") or {}).get("name"))] += 1
    maps["version"][download["file"]["version"]] += 1


def _system(name: str | None) -> str:
    if name is None:
        return "null"
    return name if name in {"Windows", "Linux", "Darwin"} else "other"


def _package_day(day: dt.date, package: str, maps: dict[str, Counter[str]]) -> PackageDay:
    capped = {dimension: _cap(counts, _KEPT[dimension]) for dimension, counts in maps.items()}
    return PackageDay(
        day=day,
        package=package,
        with_mirrors=sum(capped["installer"].values()),
        without_mirrors=sum(capped["system"].values()),
        **capped,
    )


def _cap(counts: Counter[str], kept: int) -> dict[str, int]:
    """Keep the largest categories, ties by name, and sum the tail as `other`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    capped: Counter[str] = Counter(dict(ordered[:kept]))
    for _, downloads in ordered[kept:]:
        capped["other"] += downloads
    return dict(capped)


# --- conversions --------------------------------------------------------------------------------


def json_line(download: Row) -> bytes:
    """Return a row as a line of newline-delimited JSON, as BigQuery exports and loads it."""
    stamp = download["timestamp"].astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    return json.dumps({**download, "timestamp": stamp}, ensure_ascii=False).encode() + b"\n"


def write_json_lines(rows: Iterable[Row], path: Path) -> None:
    """Write `rows` to `path` as newline-delimited JSON."""
    with path.open("wb") as file:
        file.writelines(map(json_line, rows))


def bigquery_schema(fields: tuple[Field, ...] = SCHEMA) -> "list[bigquery.SchemaField]":
    """Return the schema in the BigQuery client's types."""
    from google.cloud import bigquery

    return [
        bigquery.SchemaField(
            field.name,
            field.type,
            mode="REQUIRED" if field.required else "NULLABLE",
            fields=bigquery_schema(field.fields),
        )
        for field in fields
    ]


def arrow_schema() -> "pa.Schema":
    """Return the schema in Arrow's types."""
    import pyarrow as pa

    return pa.schema([_arrow_field(field) for field in SCHEMA])


def _arrow_field(field: Field) -> "pa.Field":
    import pyarrow as pa

    plain = {
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
        "STRING": pa.string(),
        "BOOLEAN": pa.bool_(),
    }
    inner = pa.struct([_arrow_field(child) for child in field.fields])
    return pa.field(field.name, plain.get(field.type, inner), nullable=not field.required)


def arrow_table(rows: Iterable[Row]) -> "pa.Table":
    """Return `rows` as an Arrow table."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=arrow_schema())


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write `rows` to `path` as Parquet."""
    import pyarrow.parquet as pq

    pq.write_table(arrow_table(rows), path)
