"""What is wanted is queued by one, again after a while, not for ever; chores are done in turn."""

import datetime as dt

import pytest
from sqlalchemy import text

from pypistats import store, wants
from pypistats.extensions import db
from pypistats.wants import Want

FLASK, REQUESTS = Want("info", "flask"), Want("info", "requests")
HOUR = dt.timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("app_context")


def add(want: Want) -> bool:
    with store.transaction():
        return wants.add([want]) == [want]


def take_due(limit: int = 10) -> list[Want]:
    with store.transaction():
        return wants.take_due(limit)


def let_pass(interval: str) -> None:
    """Make all that is stored older."""
    with store.transaction():
        for table in ("wants", "chores"):
            db.session.execute(text(f"update {table} set due_at = due_at - interval '{interval}'"))


def test_the_first_who_asks_is_to_queue_it() -> None:
    assert [add(FLASK), add(FLASK), add(REQUESTS)] == [True, False, True]
    assert take_due() == []


def test_what_was_queued_and_not_fetched_is_due_again() -> None:
    add(FLASK)
    add(REQUESTS)
    let_pass("2 minutes")

    assert take_due(1) == [FLASK]
    assert add(FLASK) is False
    assert add(REQUESTS) is True
    assert take_due() == []


def test_what_was_fetched_is_wanted_no_more() -> None:
    add(FLASK)
    with store.transaction():
        wants.finish(FLASK)

    let_pass("2 minutes")
    assert take_due() == []
    assert add(FLASK) is True


def test_failures_are_tried_ever_more_rarely_and_then_dropped() -> None:
    add(FLASK)
    for wait in ("15 seconds", "30 seconds", "1 minute", "2 minutes"):
        with store.transaction():
            wants.fail(FLASK, "PyPI is away " * 99)
        assert add(FLASK) is False
        let_pass(wait)
        assert take_due() == [FLASK]

    with store.transaction():
        wants.fail(FLASK, "PyPI is away")
    let_pass("1 day")
    assert take_due() == []
    assert add(FLASK) is True


def test_a_chore_is_one_workers_until_it_is_due_again() -> None:
    def begin() -> bool:
        with store.transaction():
            return wants.begin_chore("names", again=HOUR)

    assert [begin(), begin()] == [True, False]
    let_pass("1 hour")
    assert [begin(), begin()] == [True, False]

    with store.transaction():
        wants.finish_chore("names", every=24 * HOUR)
    let_pass("23 hours")
    assert begin() is False
    let_pass("1 hour")
    assert begin() is True
