"""Which days are due: worked out from the ledger and the clock, and from nothing else."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from pypistats.schedule import DAYS_A_RUN, due_days, last_open_day

NOW = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
YESTERDAY = dt.date(2026, 3, 19)

days_before = st.sets(st.integers(0, 400).map(lambda n: YESTERDAY - dt.timedelta(days=n)))


def day(number: int) -> dt.date:
    return dt.date(2026, 3, number)


def test_a_day_opens_at_three_in_the_next_night() -> None:
    assert last_open_day(dt.datetime(2026, 3, 20, 2, 59, tzinfo=dt.UTC)) == day(18)
    assert last_open_day(dt.datetime(2026, 3, 20, 3, tzinfo=dt.UTC)) == day(19)


def test_an_empty_store_gets_the_newest_day_and_no_bill_for_others() -> None:
    assert due_days([], NOW) == [day(19)]


def test_gaps_are_due_back_to_the_first_loaded_day_the_newest_first() -> None:
    assert due_days([day(19), day(18), day(15)], NOW) == [day(17), day(16)]


def test_nothing_is_due_when_all_is_there() -> None:
    assert due_days([day(19), day(18)], NOW) == []


@given(days_before)
def test_each_run_is_bounded_and_never_asks_for_what_is_there(loaded: set[dt.date]) -> None:
    due = due_days(loaded, NOW)

    assert len(due) <= DAYS_A_RUN
    assert due == sorted(set(due) - loaded, reverse=True)


@given(days_before)
def test_runs_that_succeed_close_every_gap(loaded: set[dt.date]) -> None:
    while due := due_days(loaded, NOW):
        loaded |= set(due)

    assert loaded >= {
        YESTERDAY - dt.timedelta(days=n) for n in range((YESTERDAY - min(loaded)).days)
    }
