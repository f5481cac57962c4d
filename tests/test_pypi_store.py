"""What PyPI tells, in the store: written whole, read back as it was, and noted when it changes."""

import datetime as dt

import pytest

from pypistats import provision, pypi_store, queries, store
from pypistats.catalog import Link, PackageInfo
from pypistats.pypi_store import TooFewNamesError

FLASK = PackageInfo(
    summary="A framework, ünïcode and \\ included",
    author="Pallets",
    license="BSD-3-Clause",
    requires_python=">=3.9",
    latest_version="3.1.2",
    released=dt.date(2025, 8, 19),
    links=(Link("Source", "https://github.com/pallets/flask/"),),
    releases={"3.1.2": dt.date(2025, 8, 19), "0.1": dt.date(2010, 4, 16)},
    required=("blinker", "click"),
    optional=("asgiref",),
)


def save(info: PackageInfo | None) -> int:
    """Save what PyPI tells of flask; return its revision then."""
    with store.transaction():
        pypi_store.save_info("flask", info)
    return queries.revision().of(["flask"]).number


def replace_names(*names: str) -> int:
    with store.transaction():
        return pypi_store.replace_names(names)


@pytest.mark.usefixtures("app_context")
def test_what_is_saved_is_read_back() -> None:
    save(FLASK)

    assert queries.package_info("flask") == FLASK
    assert queries.package_info("requests") is None


@pytest.mark.usefixtures("app_context")
def test_an_unknown_package_is_remembered_as_asked() -> None:
    assert provision.info_checked_at("flask") is None

    save(None)

    assert queries.package_info("flask") is None
    checked_at = provision.info_checked_at("flask")
    assert checked_at is not None
    assert abs(dt.datetime.now(dt.UTC) - checked_at) < dt.timedelta(minutes=1)


@pytest.mark.usefixtures("app_context")
def test_only_a_change_gives_the_package_its_next_revision() -> None:
    first = save(FLASK)

    assert save(FLASK) == first
    assert save(FLASK._replace(latest_version="3.1.3")) > first
    assert queries.revision().of(["requests"]).number < first


@pytest.mark.usefixtures("app_context")
def test_the_names_are_replaced_by_the_given_ones() -> None:
    assert provision.supply("flask").is_known is None

    assert replace_names("flask", "requests", "flask") == 2
    assert replace_names("flask", "django", "numpy") == 3

    assert provision.supply("numpy").is_known is True
    assert provision.supply("requests").is_known is False


@pytest.mark.usefixtures("app_context")
@pytest.mark.parametrize("names", [(), ("flask",)])
def test_a_list_that_lost_most_names_is_refused(names: tuple[str, ...]) -> None:
    replace_names("flask", "requests", "django")

    with pytest.raises(TooFewNamesError, match=f"{len(names)} names, after 3"):
        replace_names(*names)

    assert provision.supply("django").is_known is True
