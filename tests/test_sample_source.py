"""What the made-up data set must look like, for the site to have something to show."""

import datetime as dt
from collections import Counter, defaultdict
from functools import cache

import pytest

from pypistats.catalog import MIRRORS, NULL, OTHER, VERSIONS_KEPT, PackageDay, is_normal_name
from pypistats.sources import DownloadSource, FetchCost
from pypistats.sources.sample import SampleSource

UNTIL = dt.date(2026, 11, 21)
ANY_TIME = (dt.date.min, dt.date.max)
WEEK = dt.timedelta(days=7)


@cache
def sample() -> dict[str, dict[dt.date, PackageDay]]:
    """Return the whole sample, by package and day."""
    rows: dict[str, dict[dt.date, PackageDay]] = defaultdict(dict)
    for row in SampleSource(UNTIL).fetch(*ANY_TIME):
        assert row.day not in rows[row.package]
        rows[row.package][row.day] = row
    return rows


def downloads(package: str) -> dict[dt.date, int]:
    """Return a package's downloads without mirrors, by day."""
    return {day: row.without_mirrors for day, row in sample()[package].items()}


def growth(package: str) -> float:
    """Return the last four weeks' downloads, as a share of the first four weeks'."""
    counted = list(downloads(package).values())
    return sum(counted[-28:]) / sum(counted[:28])


def test_it_is_a_download_source_that_bills_nothing() -> None:
    source: DownloadSource = SampleSource(UNTIL)

    assert (source.name, source.cost) == ("sample", FetchCost())


def test_every_row_follows_the_rules_of_package_days() -> None:
    for row in (row for days in sample().values() for row in days.values()):
        maps = (row.python_minor, row.system, row.installer, row.version)
        counts = [downloads for counts in maps for downloads in counts.values()]

        assert is_normal_name(row.package)
        assert [sum(counts.values()) for counts in maps] == [
            row.without_mirrors,
            row.without_mirrors,
            row.with_mirrors,
            row.without_mirrors,
        ]
        assert all(type(count) is int and count > 0 for count in counts)
        left_out = sum(row.installer.get(name, 0) for name in (*MIRRORS, NULL))
        assert row.without_mirrors == row.with_mirrors - left_out
        assert len(row.version.keys() - {OTHER}) <= VERSIONS_KEPT


def test_it_has_hundreds_of_packages_and_odd_names() -> None:
    known = {"requests", "numpy", "pandas", "flask", "django", "boto3", "typing-extensions"}
    odd = {"zope-interface", "ruamel-yaml", "python-dateutil", "q", "3to2", "pypistats"}

    assert len(sample()) >= 300
    assert known | odd <= sample().keys()


def test_the_largest_package_has_millions_a_day_and_the_smallest_a_few() -> None:
    sizes = sorted(sum(downloads(package).values()) / 177 for package in sample())

    assert sizes[-1] > 30_000_000
    assert sum(0 < size < 10 for size in sizes) >= 3
    assert 1_000 < sizes[len(sizes) // 3] < 5_000_000


def test_small_packages_have_days_without_a_download() -> None:
    quiet = [package for package, days in sample().items() if 100 < len(days) < 177]

    assert "q" in quiet


@pytest.mark.parametrize("weeks", [0, 1, 5, 20, 60, 250])
def test_one_package_has_a_single_download_in_any_window(weeks: int) -> None:
    until = UNTIL + weeks * WEEK

    (row,) = SampleSource(until).fetch(*ANY_TIME, ["zope-testrecorder"])

    assert (row.with_mirrors, row.without_mirrors, row.installer) == (1, 1, {"pip": 1})


def test_one_package_is_downloaded_by_mirrors_only() -> None:
    for row in sample()["3to2"].values():
        assert row.without_mirrors == 0
        assert row.python_minor == row.system == row.version == {}
        assert row.installer.keys() <= set(MIRRORS)


@pytest.mark.parametrize("weeks", range(0, 60, 7))
def test_some_package_starts_in_any_window(weeks: int) -> None:
    source = SampleSource(UNTIL + weeks * WEEK)
    passing = ["langgraph", "mcp", "fastmcp", "marimo", "litellm", "smolagents", "pyrefly"]
    firsts: dict[str, dt.date] = {}

    for row in source.fetch(*ANY_TIME, [*passing, "openai-agents", "ty"]):
        firsts.setdefault(row.package, row.day)

    assert max(firsts.values()) > source.days()[0]


def test_weekends_have_about_two_thirds_of_a_workday() -> None:
    by_weekday: Counter[int] = Counter()
    for package in sample():
        for day, count in downloads(package).items():
            by_weekday[day.weekday()] += count

    weekend, workdays = by_weekday[5] + by_weekday[6], sum(map(by_weekday.__getitem__, range(5)))

    assert 0.55 < (weekend / 2) / (workdays / 5) < 0.75


def test_some_packages_grow_and_some_shrink() -> None:
    changes = [growth(package) for package, days in sample().items() if len(days) == 177]

    assert sum(change > 1.15 for change in changes) > 30
    assert sum(change < 0.87 for change in changes) > 30


def test_releases_are_taken_up_and_replaced() -> None:
    rows = list(sample()["django"].values())
    newest = next(iter(rows[-1].version))
    leading = {max(row.version, key=row.version.__getitem__) for row in rows}

    assert newest not in rows[0].version
    assert rows[-1].version[newest] / rows[-1].without_mirrors > 0.2
    assert len(leading) >= 2


def test_some_packages_have_more_releases_than_are_kept() -> None:
    capped = {
        package
        for package, days in sample().items()
        if any(OTHER in row.version for row in days.values())
    }

    assert 10 < len(capped) < len(sample()) / 2
    assert "boto3" in capped


def test_every_dimension_has_the_categories_that_pages_must_show() -> None:
    rows = [row for days in sample().values() for row in days.values()]

    pythons = {category for row in rows for category in row.python_minor}
    systems = {category for row in rows for category in row.system}
    installers = {category for row in rows for category in row.installer}

    assert {"2.7", NULL, *(f"3.{minor}" for minor in range(6, 15))} <= pythons
    assert systems == {"Linux", "Windows", "Darwin", OTHER, NULL}
    assert {"pip", "uv", "poetry", "pdm", "bandersnatch", "Browser", "requests", NULL} <= installers


def test_the_python_mix_drifts() -> None:
    first, *_, last = sample()["requests"].values()

    def share(row: PackageDay) -> float:
        return row.python_minor["3.13"] / row.without_mirrors

    assert share(last) > share(first) * 1.2


# --- days ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", range(0, 400, 11))
def test_any_window_has_180_days_but_three_gaps_in_the_past(shift: int) -> None:
    until = UNTIL + dt.timedelta(days=shift)

    days = SampleSource(until).days()

    assert days == sorted(set(days))
    assert (days[0], days[-1]) >= (until - dt.timedelta(days=179), until)
    assert len(days) == 177
    assert days[-14:] == [until - dt.timedelta(days=ago) for ago in reversed(range(14))]


def test_a_short_sample_has_no_gap() -> None:
    assert SampleSource(UNTIL, 2).days() == [UNTIL - dt.timedelta(days=1), UNTIL]


def test_only_its_days_have_rows() -> None:
    source = SampleSource(UNTIL)

    fetched = {row.day for row in source.fetch(*ANY_TIME, ["boto3"])}

    assert sorted(fetched) == source.days()


def test_only_the_days_and_packages_asked_for_are_given() -> None:
    since, until = UNTIL - dt.timedelta(days=2), UNTIL - dt.timedelta(days=1)

    rows = list(SampleSource(UNTIL).fetch(since, until, ["flask", "pip", "unheard-of"]))

    assert rows == [sample()[name][day] for day in (since, until) for name in ("pip", "flask")]
    assert list(SampleSource(UNTIL).fetch(since, until, [])) == []


def test_two_samples_agree_on_the_days_they_share() -> None:
    source = SampleSource(UNTIL + dt.timedelta(days=40), 90)

    later = list(source.fetch(UNTIL - WEEK, UNTIL))

    shared = {row.day for row in later}
    assert len(shared) >= 7
    assert all(row == sample()[row.package][row.day] for row in later)
    assert len(later) == sum(len(shared & days.keys()) for days in sample().values())
