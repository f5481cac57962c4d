"""SOURCE: downloads from Parquet and JSON lines files, and the files that `flask export` writes.

Files hold either rows of `file_downloads`, which are counted here by the same rules as at BigQuery,
or package days that are counted already. DuckDB does the reading; a fetch takes no more memory
than `_MEMORY_LIMIT` and a page of rows, and puts the rest in a temporary directory.
"""

import datetime as dt
import glob
import gzip
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, cast

import duckdb
import orjson

from pypistats.catalog import (
    CATEGORIES_KEPT,
    MIRRORS,
    NAME_MAX_LENGTH,
    SYSTEMS,
    VERSIONS_KEPT,
    PackageDay,
    is_normal_name,
)
from pypistats.sources import FetchCost, SourceError

_MEMORY_LIMIT = "512MB"
_PAGE_ROWS = 2_000
_LARGEST_COUNT = 2**63 - 1

_FORMATS = {".parquet": "parquet", ".jsonl": "json", ".ndjson": "json", ".json": "json"}
_COMPRESSIONS = (".gz", ".zst")


class _Content(Enum):
    """What a file has rows of: downloads as in `file_downloads`, or package days."""

    ROWS = "rows"
    DAYS = "days"


# BigQuery leaves null columns out of exported lines, so `details` is no mark of raw rows.
_MARKS = {
    _Content.ROWS: frozenset({"timestamp", "project", "file"}),
    _Content.DAYS: frozenset(PackageDay._fields),
}

_SUMS = {
    "installer": "with_mirrors",
    "python_minor": "without_mirrors",
    "system": "without_mirrors",
    "version": "without_mirrors",
}
_PARQUET_TYPES = {
    "day": "DATE",
    "package": "VARCHAR",
    **dict.fromkeys(("with_mirrors", "without_mirrors"), "BIGINT"),
    **dict.fromkeys(_SUMS, "MAP(VARCHAR, BIGINT)"),
}

_PARQUET_COLUMNS = "SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet(?))"
_JSON_FIRST_LINE = "SELECT json FROM read_json_objects(?, format => 'newline_delimited') LIMIT 1"
_REPEATED = "SELECT package, day FROM chosen GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
_RECORDS = "SELECT filename, record FROM chosen"


@dataclass(frozen=True, slots=True)
class _Files:
    """Existing files that have one kind of content, by format; None if all are empty."""

    content: _Content | None
    by_format: dict[str, list[str]]

    def reader(self) -> str:
        """Return the query that reads them; its parameters are `parameters`."""
        names = (f"files_{cast(_Content, self.content).value}_{key}.sql" for key in self.by_format)
        return "\nUNION ALL BY NAME\n".join(map(_sql, names))

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The files of each format, with what DuckDB would take for a pattern escaped."""
        return {key: [glob.escape(path) for path in paths] for key, paths in self.by_format.items()}

    def __str__(self) -> str:
        paths = [path for paths in self.by_format.values() for path in paths]
        return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


class FilesSource:
    """Gives what local files have. They are looked for anew at each call."""

    name = "files"

    def __init__(self, paths: Sequence[str]) -> None:
        """Take paths or glob patterns (`**` goes through folders) of files of one content."""
        self._paths = tuple(paths)
        self.cost = FetchCost()

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> None:
        """Tell nothing: files are read as a whole, and nobody is billed for it."""

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        """Yield the package days of `since` to `until`, both inclusive, in any order.

        Raises SourceError for files that are missing, broken, of neither content or of both, and
        for a package day that breaks the rules of PackageDay or is there twice.
        """
        chosen = {"since": since, "until": until, "packages": packages and list(packages)}
        with _session() as session:
            files = _look_at(session, self._paths)
            if files.content is _Content.ROWS:
                yield from _counted(session, files, chosen)
            elif files.content is _Content.DAYS:
                yield from _ready(session, files, chosen)

    def days(self) -> list[dt.date]:
        """Return the UTC days that the files have rows of; SourceError if all are empty."""
        with _session() as session:
            files = _look_at(session, self._paths)
            if files.content is not None:
                day = "day" if files.content is _Content.DAYS else "CAST(timestamp AS DATE)"
                query = f"SELECT DISTINCT {day} FROM (\n{files.reader()})\nORDER BY 1"  # noqa: S608
                found = [day for (day,) in _pages(session, query, files, {})]
                if found:
                    return found
        raise SourceError(f"{files} has no downloads")


# --- reading ------------------------------------------------------------------------------------


@contextmanager
def _session() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB in memory, in UTC, bounded, and without the network."""
    with tempfile.TemporaryDirectory(prefix="pypistats-files-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY_LIMIT,
            "temp_directory": folder,
            "threads": min(4, os.cpu_count() or 1),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        }
        with duckdb.connect(config=config) as session:
            session.execute("SET TimeZone = 'UTC'")
            session.execute(_sql("files_text.sql"))
            yield session


def _sql(name: str) -> str:
    return resources.files("pypistats.sources").joinpath(name).read_text(encoding="utf-8")


def _pages(
    session: duckdb.DuckDBPyConnection, query: str, files: _Files, parameters: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """Run `query` and yield its rows, a page at a time in memory."""
    try:
        result = session.execute(query, {**files.parameters, **parameters})
        while page := result.fetchmany(_PAGE_ROWS):
            yield from page
    except duckdb.Error as error:
        raise SourceError(_fact(error, str(files))) from error


def _fact(error: duckdb.Error, files: str) -> str:
    """Return what DuckDB says of `files`, without its advice."""
    said = str(error).partition("\n")[0]
    return said if files in said else f"{files}: {said}"


def _counted(
    session: duckdb.DuckDBPyConnection, files: _Files, chosen: dict[str, Any]
) -> Iterator[PackageDay]:
    """Count rows of `file_downloads`."""
    query = f"WITH\ndownloads AS (\n{files.reader()}),\n{_sql('files_count.sql')}"
    rules = {
        "mirrors": list(MIRRORS),
        "systems": list(SYSTEMS),
        "name_max_length": NAME_MAX_LENGTH,
        "versions_kept": VERSIONS_KEPT,
        "categories_kept": CATEGORIES_KEPT,
    }
    cells = _pages(session, query, files, {**chosen, **rules})
    for (day, package), group in groupby(cells, itemgetter(0, 1)):
        maps: dict[str, dict[str, int]] = {dimension: {} for dimension in _SUMS}
        for _, _, dimension, category, downloads in group:
            maps[dimension][category] = downloads
        with_mirrors, without_mirrors = (
            sum(maps[dimension].values()) for dimension in ("installer", "system")
        )
        yield PackageDay(day, package, with_mirrors, without_mirrors, **maps)


def _ready(
    session: duckdb.DuckDBPyConnection, files: _Files, chosen: dict[str, Any]
) -> Iterator[PackageDay]:
    """Read package days, and check them: they can come from anyone."""
    days = f"WITH\ndays AS (\n{files.reader()}),\n{_sql('files_days.sql')}"
    for package, day in _pages(session, days + _REPEATED, files, chosen):
        raise SourceError(f"{files}: {package} on {day} is there twice")
    for path, record in _pages(session, days + _RECORDS, files, chosen):
        yield _package_day(path, _json(path, record))


def _package_day(path: str, record: dict[str, Any]) -> PackageDay:
    """Return the package day that a JSON object of `path` holds."""
    missing = [field for field in PackageDay._fields if field not in record]
    if missing:
        raise SourceError(f"{path}: a row without {', '.join(missing)}")
    row = PackageDay(*(record[field] for field in PackageDay._fields))
    fault = _fault(row)
    if fault is not None:
        raise SourceError(f"{path}: {row.package} on {row.day}: {fault}")
    return row._replace(day=dt.date.fromisoformat(record["day"]))


def _json(path: str, text: str) -> Any:
    """Read JSON that DuckDB has let pass, which may hold NaN."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SourceError(f"{path}: a row is not JSON: {error}") from error


def _fault(row: PackageDay) -> str | None:
    """Return which rule of PackageDay the row of a file breaks."""
    if not isinstance(row.package, str) or not is_normal_name(row.package):
        return "not the normal form of a package's name"
    for field, total in _SUMS.items():
        counts = getattr(row, field)
        if not _is_count(getattr(row, total)):
            return f"{total} is not a count"
        if not isinstance(counts, dict) or not all(map(_is_count, counts.values())):
            return f"{field} is not a map of counts"
        if sum(counts.values()) != getattr(row, total):
            return f"{field} sums to {sum(counts.values())}, {total} is {getattr(row, total)}"
    if row.without_mirrors > row.with_mirrors:
        return f"without_mirrors is {row.without_mirrors}, with_mirrors is {row.with_mirrors}"
    return None


def _is_count(value: object) -> bool:
    """Tell whether a column of counts can hold `value`; True and 1.0 are no counts."""
    return type(value) is int and 0 <= value <= _LARGEST_COUNT


# --- finding ------------------------------------------------------------------------------------


def _look_at(session: duckdb.DuckDBPyConnection, patterns: Sequence[str]) -> _Files:
    """Find the files that `patterns` name, and what they hold."""
    by_format: dict[str, list[str]] = {}
    found: dict[_Content, str] = {}
    for path in dict.fromkeys(path for pattern in patterns for path in _matches(pattern)):
        by_format.setdefault(_format(path), []).append(path)
        content = _content(session, path)
        if content is not None:
            found.setdefault(content, path)
    if not by_format:
        raise SourceError("no files are named")
    if len(found) > 1:
        rows, days = found[_Content.ROWS], found[_Content.DAYS]
        raise SourceError(f"{rows} has rows of downloads, but {days} has package days")
    return _Files(next(iter(found), None), by_format)


def _matches(pattern: str) -> list[str]:
    """Return the files that a path or glob pattern names; a file of just that name comes first."""
    if Path(pattern).is_file():
        return [pattern]
    if not glob.has_magic(pattern):
        raise SourceError(f"{pattern}: no such file")
    # Path.glob takes no absolute pattern.
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207
    paths = sorted(path for path in found if Path(path).is_file())
    if not paths:
        raise SourceError(f"{pattern}: no file matches")
    return paths


def _format(path: str) -> str:
    """Return whether a file is `parquet` or `json`, by its name."""
    plain = Path(path.lower())
    if plain.suffix in _COMPRESSIONS and plain.with_suffix("").suffix != ".parquet":
        plain = plain.with_suffix("")
    if plain.suffix not in _FORMATS:
        raise SourceError(f"{path}: neither .parquet nor .jsonl, .ndjson or .json")
    return _FORMATS[plain.suffix]


def _content(session: duckdb.DuckDBPyConnection, path: str) -> _Content | None:
    """Return what a file has rows of, by its columns; None if it is empty."""
    columns = _columns(session, path)
    if columns is None:
        return None
    for content, marks in _MARKS.items():
        if marks <= columns:
            return content
    raise SourceError(
        f"{path} has neither the columns of file_downloads nor those of package days,"
        f" but {', '.join(sorted(columns)) or 'none'}"
    )


def _columns(session: duckdb.DuckDBPyConnection, path: str) -> set[str] | None:
    """Return a file's columns; of JSON lines, its first line's, or None without one."""
    if _format(path) == "parquet":
        return {name for (name,) in _look(session, _PARQUET_COLUMNS, path)}
    for (line,) in _look(session, _JSON_FIRST_LINE, path):
        first = _json(path, line)
        if not isinstance(first, dict):
            raise SourceError(f"{path}: the first line is no JSON object, but {line}")
        return set(first)
    return None


def _look(session: duckdb.DuckDBPyConnection, query: str, path: str) -> list[tuple[Any, ...]]:
    """Run a query on one file."""
    try:
        return session.execute(query, [[glob.escape(path)]]).fetchall()
    except duckdb.Error as error:
        raise SourceError(_fact(error, path)) from error


# --- writing ------------------------------------------------------------------------------------


def write_package_days(rows: Iterable[PackageDay], path: Path) -> int:
    """Write `rows` as .jsonl, .jsonl.gz or .parquet, by the name of `path`; return their number.

    They stream. The file takes the place of `path` when it is whole: whatever fails, an older
    file stays, and no part of the new one. Raises ValueError for other names, and OSError.
    """
    write = next((write for end, write in _WRITERS.items() if path.name.endswith(end)), None)
    if write is None:
        raise ValueError(f"only {', '.join(_WRITERS)} can be written")
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        written = write(rows, unfinished)
        unfinished.replace(path)
    return written


def _write_lines(rows: Iterable[PackageDay], path: Path) -> int:
    with path.open("wb") as file:
        return _write_objects(rows, file)


def _write_gzip(rows: Iterable[PackageDay], path: Path, level: int = 6) -> int:
    with gzip.open(path, "wb", level) as file:
        return _write_objects(rows, cast(BinaryIO, file))


def _write_objects(rows: Iterable[PackageDay], file: BinaryIO) -> int:
    """Write each row as a JSON object on a line of its own."""
    written = 0
    for row in rows:
        file.write(orjson.dumps(row._asdict(), default=dict, option=orjson.OPT_APPEND_NEWLINE))
        written += 1
    return written


def _write_parquet(rows: Iterable[PackageDay], path: Path) -> int:
    """Write Parquet by way of JSON lines, since DuckDB takes no stream of Python rows."""
    lines = path.with_name("lines.jsonl.gz")
    written = _write_gzip(rows, lines, level=1)
    with _session() as session:
        try:
            session.read_json(
                glob.escape(str(lines)), columns=_PARQUET_TYPES, format="newline_delimited"
            ).write_parquet(str(path), compression="zstd")
        except duckdb.Error as error:
            raise OSError(_fact(error, str(path))) from error
    return written


_WRITERS = {".jsonl": _write_lines, ".jsonl.gz": _write_gzip, ".parquet": _write_parquet}
