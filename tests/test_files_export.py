"""The files that package days are written to, and read from again."""

import datetime as dt
import gzip
import json
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypistats.catalog import PackageDay
from pypistats.sources.files import FilesSource, write_package_days
from tests.download_rows import DAY, aggregate, edge_rows

AFTER = DAY + dt.timedelta(days=1)
ENDS = (".jsonl", ".jsonl.gz", ".parquet")

FLASK = PackageDay(
    day=DAY,
    package="flask",
    with_mirrors=7,
    without_mirrors=5,
    python_minor={"3.12": 4, "null": 1},
    system={"Linux": 5},
    installer={"pip": 5, "bandersnatch": 2},
    version={"3.1.0": 3, "other": 2},
)
MIRRORED = PackageDay(AFTER, "a", 2, 0, {}, {}, {"devpi": 2}, {})

counts = st.integers(1, 2**40)
texts = st.text(st.characters(codec="utf-8"), max_size=6)
maps = st.dictionaries(texts, counts, min_size=1, max_size=4)


@st.composite
def package_days(draw: st.DrawFn) -> PackageDay:
    """Make a package day that follows the rules; its categories are any text."""
    versions = draw(maps)
    downloads = sum(versions.values())
    mirrored = draw(counts)
    return PackageDay(
        day=draw(st.dates(dt.date(2016, 1, 1), dt.date(2099, 12, 31))),
        package=draw(st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,9}", fullmatch=True)),
        with_mirrors=downloads + mirrored,
        without_mirrors=downloads,
        python_minor={draw(texts): downloads},
        system={draw(texts): downloads},
        installer={f"{draw(texts)}-agent": downloads, "devpi": mirrored},
        version=versions,
    )


def read(path: Path) -> list[PackageDay]:
    """Return everything in a file, by day and package."""
    return sorted(FilesSource([str(path)]).fetch(dt.date.min, dt.date.max), key=lambda row: row[:2])


@pytest.mark.parametrize("end", ENDS)
def test_the_edge_cases_come_back_as_they_were(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"days{end}"
    rows = sorted(aggregate(edge_rows(), DAY, AFTER).values(), key=lambda row: row[:2])

    assert write_package_days(rows, path) == len(rows)
    assert read(path) == rows
    assert FilesSource([str(path)]).days() == [DAY, AFTER]


@settings(max_examples=10)
@given(rows=st.lists(package_days(), max_size=5, unique_by=lambda row: row[:2]))
@pytest.mark.parametrize("end", ENDS)
def test_whatever_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, end: str, rows: list[PackageDay]
) -> None:
    path = tmp_path_factory.mktemp("days") / f"days{end}"

    assert write_package_days(iter(rows), path) == len(rows)
    assert read(path) == sorted(rows, key=lambda row: row[:2])


@pytest.mark.parametrize("end", ENDS)
def test_no_rows_make_a_file_without_rows(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"days{end}"

    assert write_package_days([], path) == 0
    assert read(path) == []


def test_a_line_is_an_object_with_its_maps_as_objects(tmp_path: Path) -> None:
    path = tmp_path / "days.jsonl.gz"

    write_package_days([FLASK], path)

    assert json.loads(gzip.decompress(path.read_bytes())) == {
        "day": "2026-03-15",
        "package": "flask",
        "with_mirrors": 7,
        "without_mirrors": 5,
        "python_minor": {"3.12": 4, "null": 1},
        "system": {"Linux": 5},
        "installer": {"pip": 5, "bandersnatch": 2},
        "version": {"3.1.0": 3, "other": 2},
    }


def test_parquet_has_a_date_bigints_and_maps(tmp_path: Path) -> None:
    path = tmp_path / "days.parquet"

    write_package_days([FLASK], path)

    with duckdb.connect() as session:
        relation = session.read_parquet(str(path))
        columns = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert columns == {
        "day": "DATE",
        "package": "VARCHAR",
        "with_mirrors": "BIGINT",
        "without_mirrors": "BIGINT",
        "python_minor": "MAP(VARCHAR, BIGINT)",
        "system": "MAP(VARCHAR, BIGINT)",
        "installer": "MAP(VARCHAR, BIGINT)",
        "version": "MAP(VARCHAR, BIGINT)",
    }


def test_any_mapping_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "days.jsonl"

    write_package_days([FLASK._replace(system=MappingProxyType({"Linux": 5}))], path)

    assert read(path) == [FLASK]


@pytest.mark.parametrize("end", ENDS)
def test_an_export_that_breaks_leaves_the_older_file(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"days{end}"
    write_package_days([FLASK], path)

    def breaking() -> Iterator[PackageDay]:
        yield MIRRORED
        raise RuntimeError("the connection is gone")

    with pytest.raises(RuntimeError, match="the connection is gone"):
        write_package_days(breaking(), path)

    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert read(path) == [FLASK]


@pytest.mark.parametrize("end", ENDS)
def test_an_export_takes_the_place_of_an_older_one(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"it's [1] day{end}"
    write_package_days([FLASK], path)

    write_package_days([MIRRORED], path)

    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert read(path) == [MIRRORED]


@pytest.mark.parametrize("name", ["days.csv", "days.json", "days", "days.parquet.gz"])
def test_other_names_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"only \.jsonl, \.jsonl\.gz, \.parquet can be written"):
        write_package_days([FLASK], tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_package_days([FLASK], tmp_path / "nowhere" / "days.jsonl")


@pytest.mark.parametrize("end", ENDS)
def test_nothing_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / f"days{end}"

    write_package_days([FLASK], path)

    assert read(path) == [FLASK]


@pytest.mark.parametrize("end", ENDS)
def test_rows_stream_both_ways(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"days{end}"
    rows = (FLASK._replace(package=f"flask-{number}") for number in range(6_000))

    tracemalloc.start()
    write_package_days(rows, path)
    read_back = sum(1 for _ in FilesSource([str(path)]).fetch(DAY, DAY))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert read_back == 6_000
    assert most < 4_000_000
