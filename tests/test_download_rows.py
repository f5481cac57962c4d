"""The oracle itself, on rows whose counts are written down here by hand."""

import datetime as dt

from pypistats.catalog import PackageDay
from tests.download_rows import DAY, Row, aggregate, arrow_table, at, edge_rows, json_line, row

TOMORROW = DAY + dt.timedelta(days=1)


def only(rows: list[Row]) -> PackageDay:
    """Return the one package and day that `rows` come to."""
    (package_day,) = aggregate(rows, DAY, DAY).values()
    return package_day


def test_mirrors_and_unknown_installers_count_with_mirrors_only() -> None:
    rows = [
        *[row("pip")] * 3,
        row("pip", installer="uv", python="3.13.1", system="Darwin", version="2.0.0"),
        row("pip", installer="devpi", python=None, system=None),
        row("pip", details=False),
    ]

    assert only(rows) == PackageDay(
        day=DAY,
        package="pip",
        with_mirrors=6,
        without_mirrors=4,
        python_minor={"3.12": 3, "3.13": 1},
        system={"Linux": 3, "Darwin": 1},
        installer={"pip": 3, "uv": 1, "devpi": 1, "null": 1},
        version={"1.0.0": 3, "2.0.0": 1},
    )


def test_a_package_with_mirror_downloads_only_has_empty_maps() -> None:
    rows = [row("pip", installer="bandersnatch")]

    assert only(rows) == PackageDay(DAY, "pip", 1, 0, {}, {}, {"bandersnatch": 1}, {})


def test_rows_of_a_malformed_python_are_left_out() -> None:
    malformed = ["", "3", "3.x", "3.", "10.1.0", " 3.11", "3.13\n"]
    pythons = ["2.7.18+", "3.14.0rc1", "3.100.1", None]

    counted = only([row("pip", python=python) for python in malformed + pythons])

    assert counted.with_mirrors == 4
    assert counted.python_minor == {"2.7": 1, "3.14": 1, "3.100": 1, "null": 1}


def test_systems_without_a_category_are_other_and_none_is_null() -> None:
    systems = ["Windows", "windows", "FreeBSD", "", "null", None]

    counted = only([row("pip", system=system) for system in systems])

    assert counted.system == {"Windows": 1, "other": 4, "null": 1}


def test_a_day_is_a_utc_day() -> None:
    last = dt.datetime(2026, 3, 15, 23, 59, 59, 999999, dt.UTC)
    tokyo = dt.timezone(dt.timedelta(hours=9))
    stamps = [at(DAY, 0), last, at(TOMORROW, 0), dt.datetime(2026, 3, 16, 8, tzinfo=tokyo)]

    counted = aggregate([row("pip", stamp) for stamp in stamps], DAY, TOMORROW)

    assert {key: found.with_mirrors for key, found in counted.items()} == {
        (DAY, "pip"): 3,
        (TOMORROW, "pip"): 1,
    }


def test_releases_beyond_twenty_are_other_and_ties_go_by_name() -> None:
    rows = [row("pip", version=f"1.{number:02}") for number in range(25)]
    rows += [row("pip", version="other"), row("pip", version="1.24")]

    kept = {f"1.{number:02}": 1 for number in range(19)}
    assert only(rows).version == {"1.24": 2, **kept, "other": 6}


def test_names_that_the_site_does_not_keep_are_left_out() -> None:
    names = ["a", "x" * 128, "y" * 129, "__all__", "A", "a.b", "a--b", "-a", ""]

    counted = aggregate([row(name) for name in names], DAY, DAY)

    assert set(counted) == {(DAY, "a"), (DAY, "x" * 128)}


def test_packages_narrow_the_count() -> None:
    rows = [row("pip"), row("flask"), row("six")]

    assert set(aggregate(rows, DAY, DAY, ["pip", "six", "x"])) == {(DAY, "pip"), (DAY, "six")}


def test_edge_rows_survive_arrow() -> None:
    assert arrow_table(edge_rows()).to_pylist() == edge_rows()


def test_a_json_line_is_what_bigquery_loads() -> None:
    line = json_line(row("pip", at(DAY, 7), installer=None))

    assert line.startswith(b'{"timestamp": "2026-03-15 07:00:00.000000 UTC", "country_code"')
    assert b'"installer": null' in line
    assert line.endswith(b"}\n")
