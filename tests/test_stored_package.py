"""All that is stored of one package comes in one statement."""

import datetime as dt

import pytest
from flask import Flask

from pypistats import ingest, pypi_store, queries, store
from pypistats.catalog import ALL_PACKAGES, Link, PackageInfo
from pypistats.extensions import db
from pypistats.queries import PackageNotFoundError, Recent
from pypistats.stored_package import PackageDays, StoredPackage, stored_package
from tests.fixed_source import DAY, FixedSource, package_day

INFO = PackageInfo(
    summary="A framework",
    author="Pallets",
    license="",
    requires_python=">=3.10",
    latest_version="3.1.2",
    released=dt.date(2026, 3, 1),
    links=(Link("Source", "https://code.example/flask"),),
    releases={"3.1.2": dt.date(2026, 3, 1)},
    required=("jinja2", "werkzeug"),
    optional=(),
)
DAYS = tuple(DAY - dt.timedelta(days=ago) for ago in (2, 1, 0))

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(autouse=True)
def loaded(app: Flask) -> None:
    odd = {'a "quoted", [bracketed] one': 1, "0.9": 2}
    with app.app_context():
        for downloads, day in enumerate(DAYS, start=1):
            flask = package_day("flask", day, downloads=downloads, mirrored=2, installer=odd)
            others = () if downloads > 1 else (package_day("gone", day),)
            ingest.ingest_day(day, FixedSource(flask, *others))
        pypi_store.save_info("flask", INFO)
        db.session.commit()


def test_it_is_what_the_other_reads_tell() -> None:
    days = queries.series("flask", queries.DAY_COLUMNS, days=180)
    change = queries.revision().whole

    assert stored_package("flask", days=180) == StoredPackage(
        Recent(3, 6, 6), 6, PackageDays(*map(list, zip(*days, strict=True))), INFO, True, change
    )
    assert stored_package("flask", days=2).days.day == [day.isoformat() for day in DAYS[1:]]


def test_a_package_without_days_or_words_of_pypi_has_none() -> None:
    stored = stored_package("gone", days=1)

    assert stored.days == PackageDays([], [], [], [], [], [], [])
    assert (stored.info, stored.is_info_known) == (None, False)


def test_what_pypi_does_not_know_is_known_of_a_package() -> None:
    pypi_store.save_info("gone", None)

    stored = stored_package("gone", days=1)

    assert (stored.info, stored.is_info_known) == (None, True)


def test_an_unknown_package_is_none() -> None:
    with pytest.raises(PackageNotFoundError):
        stored_package("unknown", days=180)


def test_it_tells_of_the_last_change_of_the_sum_over_all_packages() -> None:
    before = stored_package("flask", days=1).sum_revision

    with store.transaction():
        store.bump_revision(["flask"])
    assert stored_package("flask", days=1).sum_revision == before

    with store.transaction():
        store.bump_revision([ALL_PACKAGES])
    assert stored_package("flask", days=1).sum_revision > before
