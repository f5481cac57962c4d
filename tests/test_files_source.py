"""What the files source counts and refuses, against a count in plain Python."""

import datetime as dt
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pypistats.catalog import (
    CATEGORIES_KEPT,
    NAME_MAX_LENGTH,
    VERSIONS_KEPT,
    PackageDay,
    is_normal_name,
)
from pypistats.sources import DownloadSource, FetchCost, SourceError
from pypistats.sources.files import FilesSource
from tests.download_rows import (
    DAY,
    INSTALLERS,
    NORMAL_NAMES,
    OTHER_NAMES,
    Row,
    Totals,
    aggregate,
    at,
    edge_rows,
    json_line,
    row,
    write_json_lines,
    write_parquet,
)

BEFORE, AFTER = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)

READY = {
    "day": "2026-03-15",
    "package": "flask",
    "with_mirrors": 7,
    "without_mirrors": 5,
    "python_minor": {"3.12": 4, "null": 1},
    "system": {"Linux": 5},
    "installer": {"pip": 5, "bandersnatch": 2},
    "version": {"3.1.0": 3, "other": 2},
}
READY_ROW = PackageDay(**{**READY, "day": DAY})  # type: ignore[arg-type]

Write = Callable[[Iterable[Row], Path], None]


def _write_gzip(rows: Iterable[Row], path: Path) -> None:
    path.write_bytes(gzip.compress(b"".join(map(json_line, rows))))


def _write_zstd(rows: Iterable[Row], path: Path) -> None:
    parquet = path.with_suffix(".parquet")
    write_parquet(rows, parquet)
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        session.execute(f"COPY (FROM '{parquet}') TO '{path}' (FORMAT json, COMPRESSION zstd)")


FORMATS: dict[str, Write] = {
    "rows.parquet": write_parquet,
    "rows.jsonl": write_json_lines,
    "rows.jsonl.gz": _write_gzip,
    "rows.jsonl.zst": _write_zstd,
}


@pytest.fixture(scope="module", params=FORMATS)
def edges(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FilesSource:
    """Open a file of the edge cases, in each format."""
    path = tmp_path_factory.mktemp("edges") / request.param
    FORMATS[request.param](edge_rows(), path)
    return FilesSource([str(path)])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Return what writes bytes, or objects as JSON lines, to a file and returns its path."""

    def write_file(name: str, *lines: bytes | object) -> str:
        path = tmp_path / name
        path.write_bytes(b"".join(_line(line) for line in lines))
        return str(path)

    return write_file


def _line(line: bytes | object) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"


def fetched(
    *paths: str,
    since: dt.date = DAY,
    until: dt.date = DAY,
    packages: Sequence[str] | None = None,
) -> list[PackageDay]:
    """Return what files have, by day and package."""
    return sorted(FilesSource(paths).fetch(since, until, packages))


def totals(rows: Iterator[PackageDay]) -> Totals:
    """Return rows as the oracle does."""
    return {(row.day, row.package): row for row in rows}


def refusal(*paths: str) -> str:
    """Return why files are refused."""
    with pytest.raises(SourceError) as caught:
        fetched(*paths)
    return str(caught.value)


# --- counting -----------------------------------------------------------------------------------


def test_every_edge_case_is_counted_as_by_the_oracle(edges: FilesSource) -> None:
    assert totals(edges.fetch(DAY, DAY)) == aggregate(edge_rows(), DAY, DAY)


def test_days_are_kept_apart(edges: FilesSource) -> None:
    assert totals(edges.fetch(BEFORE, AFTER)) == aggregate(edge_rows(), BEFORE, AFTER)


def test_only_the_packages_asked_for_are_counted(edges: FilesSource) -> None:
    packages = ["edge-null", "edge-flood", "unheard-of"]

    assert totals(edges.fetch(DAY, DAY, packages)) == aggregate(edge_rows(), DAY, DAY, packages)


def test_asking_for_no_package_gives_none(edges: FilesSource) -> None:
    assert list(edges.fetch(DAY, DAY, [])) == []


def test_a_day_without_rows_gives_nothing(edges: FilesSource) -> None:
    day = DAY + dt.timedelta(days=30)

    assert list(edges.fetch(day, day)) == []


def test_the_days_are_utc_days(edges: FilesSource) -> None:
    assert edges.days() == [BEFORE, DAY, AFTER]


def test_the_caps_and_odd_agents_are_in_the_edge_cases(edges: FilesSource) -> None:
    counted = {row.package: row for row in edges.fetch(DAY, DAY)}

    assert len(counted["edge-versions"].version) == VERSIONS_KEPT + 1
    assert len(counted["edge-flood"].installer) == CATEGORIES_KEPT + 1
    assert set(counted["edge-installer"].installer) == set(INSTALLERS)
    assert counted["mirrors-only"] == PackageDay(
        DAY, "mirrors-only", 3, 0, {}, {}, {"bandersnatch": 3}, {}
    )
    assert set(NORMAL_NAMES) <= set(counted)
    assert not set(OTHER_NAMES) & set(counted)


def test_the_query_keeps_the_names_that_the_site_keeps(write: Callable[..., str]) -> None:
    short = ["".join(letters) for n in range(5) for letters in product("a0-_.A\né", repeat=n)]
    names = [*short, "x" * NAME_MAX_LENGTH, "x" * (NAME_MAX_LENGTH + 1)]
    path = write("rows.jsonl", *(json_line(row(name)) for name in names))

    kept = [found.package for found in fetched(path)]

    assert kept == sorted(filter(is_normal_name, names))


def test_it_is_a_download_source_that_bills_nothing() -> None:
    source: DownloadSource = FilesSource(["rows.parquet"])

    assert (source.name, source.cost) == ("files", FetchCost())


# --- JSON lines ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-03-15 12:00:00.000000 UTC",
        "2026-03-15 12:00:00 UTC",
        "2026-03-15 12:00:00.000000+00:00",
        "2026-03-15 12:00:00",
        "2026-03-15T12:00:00Z",
        "2026-03-15T12:00:00.123456Z",
        "2026-03-15T23:59:59.999999+00:00",
        "2026-03-16T01:00:00+02:00",
        "2026-03-14T20:00:00-04:00",
    ],
)
def test_timestamps_are_read_in_every_usual_form(write: Callable[..., str], timestamp: str) -> None:
    path = write("rows.jsonl", {**row("flask"), "timestamp": timestamp})

    assert [found.day for found in fetched(path, since=BEFORE, until=AFTER)] == [DAY]


def test_columns_that_are_null_for_long_are_still_read(write: Callable[..., str]) -> None:
    nothing = {**row("flask"), "details": None, "timestamp": str(at())}
    missing = {key: nothing[key] for key in ("timestamp", "project", "file")}
    lines = [nothing] * 3000 + [missing] * 3000

    path = write("rows.jsonl", *lines, json_line(row("flask")), b"\n", json_line(row("flask")))

    assert fetched(path) == [
        PackageDay(
            day=DAY,
            package="flask",
            with_mirrors=6002,
            without_mirrors=2,
            python_minor={"3.12": 2},
            system={"Linux": 2},
            installer={"null": 6000, "pip": 2},
            version={"1.0.0": 2},
        )
    ]


def _with(**columns: object) -> Row:
    return {**row("flask"), "timestamp": str(at()), **columns}


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        (b'{"timestamp": \n', "Malformed JSON"),
        (b"\xff\xfe\n", "Malformed JSON"),
        (_with(timestamp=17), "not a timestamp: 17"),
        (_with(timestamp="yesterday"), "not a timestamp: yesterday"),
        (_with(timestamp=None), "not a timestamp: null"),
        (_with(project=None), "a row without a project"),
        (_with(project=3), "project is not a string: 3"),
        (_with(file=None), "a row without a file.version"),
        (_with(file=["1.0"]), "Expected OBJECT"),
        (_with(file={"version": 1.0}), "file.version is not a string: 1.0"),
        (_with(details="pip"), "Expected OBJECT"),
        (_with(details={"installer": "pip"}), "Expected OBJECT"),
        (_with(details={"installer": {"name": {}}}), "details.installer.name is not a string: {}"),
        (_with(details={"python": 3.1}), "details.python is not a string: 3.1"),
        (_with(details={"system": {"name": True}}), "details.system.name is not a string: true"),
        ({}, "not a timestamp: null"),
        ([], "JSON"),
    ],
)
def test_a_broken_line_is_refused_wherever_it_is(
    write: Callable[..., str], line: object, fact: str
) -> None:
    path = write("rows.jsonl", *[json_line(row("flask"))] * 10, line)

    said = refusal(path)

    assert fact in said
    assert path in said


# --- package days -------------------------------------------------------------------------------


def test_ready_package_days_are_taken_as_they_are(write: Callable[..., str]) -> None:
    mirrored = {
        **READY,
        "package": "a",
        "with_mirrors": 2,
        "without_mirrors": 0,
        "installer": {"devpi": 2},
        "python_minor": {},
        "system": {},
        "version": {},
    }
    later = {**READY, "day": "2026-03-16"}
    path = write("days.jsonl", READY, mirrored, later)

    assert fetched(path) == [PackageDay(DAY, "a", 2, 0, {}, {}, {"devpi": 2}, {}), READY_ROW]
    assert fetched(path, packages=["flask"], until=AFTER) == [
        READY_ROW,
        READY_ROW._replace(day=AFTER),
    ]
    assert FilesSource([path]).days() == [DAY, AFTER]


@pytest.mark.parametrize(
    ("columns", "fact"),
    [
        ({"day": "2026-3-15"}, "not a day: 2026-3-15"),
        ({"day": "2026-02-30"}, "not a day: 2026-02-30"),
        ({"day": 20260315}, "not a day: 20260315"),
        ({"day": None}, "not a day: null"),
        ({"package": "Flask"}, "Flask on 2026-03-15: not the normal form of a package's name"),
        ({"package": 3}, "3 on 2026-03-15: not the normal form of a package's name"),
        ({"with_mirrors": 8}, "installer sums to 7, with_mirrors is 8"),
        ({"without_mirrors": 4}, "python_minor sums to 5, without_mirrors is 4"),
        ({"system": {"Linux": 4}}, "system sums to 4, without_mirrors is 5"),
        ({"version": {}}, "version sums to 0, without_mirrors is 5"),
        ({"version": {"1": 6, "2": -1}}, "version is not a map of counts"),
        ({"version": {"1": 5.0}}, "version is not a map of counts"),
        ({"version": {"1": "5"}}, "version is not a map of counts"),
        ({"version": {"1": 4, "2": True}}, "version is not a map of counts"),
        ({"version": [5]}, "version is not a map of counts"),
        ({"version": None}, "version is not a map of counts"),
        ({"with_mirrors": 7.0}, "with_mirrors is not a count"),
        ({"with_mirrors": 2**63, "installer": {"pip": 2**63}}, "with_mirrors is not a count"),
        (
            {"with_mirrors": 4, "installer": {"pip": 4}},
            "without_mirrors is 5, with_mirrors is 4",
        ),
    ],
)
def test_a_package_day_that_breaks_a_rule_is_refused(
    write: Callable[..., str], columns: dict[str, Any], fact: str
) -> None:
    path = write("days.jsonl", {**READY, "package": "numpy"}, {**READY, **columns})

    said = refusal(path)

    assert fact in said
    assert path in said


def test_a_package_day_without_a_column_is_refused(write: Callable[..., str]) -> None:
    incomplete = {key: value for key, value in READY.items() if key not in {"system", "installer"}}
    path = write("days.jsonl", {**READY, "package": "numpy"}, incomplete)

    assert refusal(path) == f"{path}: a row without system, installer"


def test_what_only_duckdb_takes_for_json_is_refused(write: Callable[..., str]) -> None:
    broken = {**READY, "package": "numpy", "with_mirrors": float("nan")}

    for rows in ([READY, broken], [broken, READY]):
        path = write("days.jsonl", *rows)
        assert refusal(path).startswith(f"{path}: a row is not JSON: ")


def test_a_package_day_that_is_there_twice_is_refused(write: Callable[..., str]) -> None:
    paths = [write("days-1.jsonl", READY), write("days-2.jsonl", READY)]

    assert refusal(*paths) == f"{paths[0]} and 1 more: flask on 2026-03-15 is there twice"


def test_parquet_package_days_are_checked_too(tmp_path: Path) -> None:
    path = str(tmp_path / "days.parquet")
    columns = "DATE '2026-03-15' AS day, 'flask' AS package"
    counts = "1.5 AS with_mirrors, 0 AS without_mirrors"
    maps = ", ".join(f"MAP {{}} AS {name}" for name in READY if isinstance(READY[name], dict))
    with duckdb.connect() as session:
        session.sql(f"SELECT {columns}, {counts}, {maps}").write_parquet(path)

    assert refusal(path) == f"{path}: flask on 2026-03-15: with_mirrors is not a count"


# --- finding files ------------------------------------------------------------------------------


def test_patterns_formats_and_folders_are_put_together(tmp_path: Path) -> None:
    rows = edge_rows()
    (tmp_path / "day=2020-01-01").mkdir()
    write_parquet(rows[::3], tmp_path / "day=2020-01-01" / "a.parquet")
    write_json_lines(rows[1::3], tmp_path / "b.jsonl")
    _write_gzip(rows[2::3], tmp_path / "c.jsonl.gz")
    (tmp_path / "d.jsonl").touch()
    patterns = [f"{tmp_path}/**/*.parquet", f"{tmp_path}/*.jsonl*", f"{tmp_path}/b.jsonl"]

    assert totals(FilesSource(patterns).fetch(DAY, DAY)) == aggregate(rows, DAY, DAY)


@pytest.mark.parametrize(
    "name",
    [
        *("it's.jsonl", "a[1].jsonl", "a*?.jsonl", 'q"; --.jsonl', "$json {x}.jsonl", "ü 蛇.jsonl"),
        *("rows.ndjson", "ROWS.JSON"),
    ],
)
def test_a_file_may_have_any_name(write: Callable[..., str], name: str) -> None:
    write("a1.jsonl", b"broken")
    path = write(name, json_line(row("flask")))

    assert [found.package for found in fetched(path)] == ["flask"]


def test_files_are_looked_for_anew_at_each_fetch(tmp_path: Path) -> None:
    source = FilesSource([f"{tmp_path}/*.jsonl"])
    write_json_lines([row("a")], tmp_path / "1.jsonl")
    assert len(list(source.fetch(DAY, DAY))) == 1
    write_json_lines([row("b")], tmp_path / "2.jsonl")

    assert len(list(source.fetch(DAY, DAY))) == 2


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert refusal(f"{tmp_path}/a.jsonl") == f"{tmp_path}/a.jsonl: no such file"
    assert refusal(f"{tmp_path}/*.jsonl") == f"{tmp_path}/*.jsonl: no file matches"
    assert refusal(str(tmp_path)) == f"{tmp_path}: no such file"
    assert refusal("https://example.org/a.parquet") == "https://example.org/a.parquet: no such file"
    assert refusal() == "no files are named"


def test_a_file_of_another_kind_is_refused(write: Callable[..., str]) -> None:
    for name in ("rows.csv", "rows", "rows.parquet.gz"):
        path = write(name, b"x")

        assert refusal(path) == f"{path}: neither .parquet nor .jsonl, .ndjson or .json"


def test_a_file_with_neither_schema_is_refused(write: Callable[..., str], tmp_path: Path) -> None:
    line = write("other.jsonl", {"name": "flask", "downloads": 3})
    parquet = str(tmp_path / "other.parquet")
    with duckdb.connect() as session:
        session.sql("SELECT 'flask' AS name, 3 AS downloads").write_parquet(parquet)

    for path in (line, parquet):
        assert refusal(path) == (
            f"{path} has neither the columns of file_downloads nor those of package days,"
            " but downloads, name"
        )


def test_rows_and_package_days_do_not_go_together(write: Callable[..., str]) -> None:
    rows, days = write("rows.jsonl", json_line(row("flask"))), write("days.jsonl", READY)

    assert refusal(days, rows) == f"{rows} has rows of downloads, but {days} has package days"


def test_a_first_line_that_is_no_object_is_refused(write: Callable[..., str]) -> None:
    path = write("list.jsonl", b"[1,2]\n")

    assert refusal(path) == f"{path}: the first line is no JSON object, but [1,2]"


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl.gz", "rows.jsonl"])
def test_bytes_that_are_not_the_format_are_refused(write: Callable[..., str], name: str) -> None:
    path = write(name, b"PAR1 and then nothing like it")

    assert path in refusal(path)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_parquet(edge_rows(), path)
    content = bytearray(path.read_bytes())
    content[100:3000] = b"\xff" * 2900
    path.write_bytes(content)

    assert str(path) in refusal(str(path))


def test_parquet_with_other_types_under_the_same_names_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.parquet")
    with duckdb.connect() as session:
        query = "SELECT now() AS timestamp, 'a' AS project, 'b' AS file, 'c' AS details"
        session.sql(query).write_parquet(path)

    assert path in refusal(path)


def test_empty_files_have_nothing(write: Callable[..., str]) -> None:
    path = write("empty.jsonl")

    assert fetched(path) == []
    with pytest.raises(SourceError, match=r"empty\.jsonl has no downloads"):
        FilesSource([path]).days()


def test_a_parquet_file_without_rows_has_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_parquet([], path)

    assert fetched(str(path)) == []
    with pytest.raises(SourceError, match=r"rows\.parquet has no downloads"):
        FilesSource([str(path)]).days()
