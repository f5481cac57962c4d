"""What is due: worked out from the ledger and the clock, and from nothing else."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import schedule
from pypistats.catalog import DayState, LedgerDay
from pypistats.schedule import Ledger, assess, decide, due_days, is_due, usual, window

NOON = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
YESTERDAY = dt.date(2026, 3, 19)
KEPT = 180

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def at(hour: int, minute: int = 0) -> dt.datetime:
    return NOON.replace(hour=hour, minute=minute)


def before(days: int) -> dt.date:
    return YESTERDAY - days * DAY


def ledger(*rows: LedgerDay) -> Ledger:
    return {row.day: row for row in rows}


def loaded(day: dt.date, state: DayState = DayState.LOADED, **changes: Any) -> LedgerDay:
    """Return a day that was loaded at four in the next morning."""
    time = dt.datetime.combine(day + DAY, dt.time(4), dt.UTC)
    row = LedgerDay(
        day,
        state,
        source="fixed",
        packages=1,
        downloads=1_000,
        dry_run_bytes=50_000,
        loaded_at=time,
        changed_at=time,
        tried_at=time,
    )
    return row._replace(**changes)


def missing(day: dt.date = YESTERDAY, **changes: Any) -> LedgerDay:
    return LedgerDay(day, DayState.MISSING)._replace(**changes)


def weeks(downloads: int, count: int = 5, bytes_there: int = 50_000) -> list[LedgerDay]:
    """Return the same weekday of the weeks before yesterday."""
    return [
        loaded(before(7 * n), DayState.FINAL, downloads=downloads, dry_run_bytes=bytes_there)
        for n in range(1, count + 1)
    ]


# --- which days --------------------------------------------------------------------------------


def test_a_day_opens_at_three_in_the_next_night() -> None:
    assert due_days({}, at(2, 59), days=KEPT) == []
    assert due_days({}, at(3), days=KEPT) == [YESTERDAY]


def test_an_empty_store_gets_the_newest_day_and_no_bill_for_others() -> None:
    assert due_days({}, NOON, days=KEPT) == [YESTERDAY]


def test_gaps_are_due_back_to_the_first_loaded_day_the_newest_first() -> None:
    known = ledger(*(loaded(before(n), DayState.FINAL) for n in (0, 1, 4)))

    assert due_days(known, NOON, days=KEPT) == [before(2), before(3)]


def test_a_first_day_that_failed_or_was_lost_stays_due() -> None:
    known = ledger(loaded(before(0), DayState.FINAL), missing(before(2)))

    assert due_days(known, NOON, days=KEPT) == [before(1), before(2)]


def test_gaps_older_than_what_is_kept_stay() -> None:
    known = ledger(loaded(before(0), DayState.FINAL), loaded(before(9), DayState.FINAL))

    assert due_days(known, NOON, days=4) == [before(1), before(2), before(3)]
    assert [row.day for row in window(known, NOON, days=4)] == [before(n) for n in range(4)]


def test_a_long_gap_is_closed_a_little_at_a_time() -> None:
    known = ledger(loaded(before(100), DayState.FINAL))

    assert due_days(known, NOON, days=KEPT) == [before(0), before(1), before(2)]


# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("looked", "due"),
    [
        (at(3), at(4)),
        (at(10, 59), at(11, 59)),
        (at(11, 30), at(12)),
        (at(12), at(13)),
        (at(15), at(16)),
    ],
)
def test_an_incomplete_day_is_looked_at_hourly_and_at_noon(
    looked: dt.datetime, due: dt.datetime
) -> None:
    known = ledger(missing(tried_at=looked, note="not complete"))

    assert not is_due(YESTERDAY, known, due - dt.timedelta(seconds=1))
    assert is_due(YESTERDAY, known, due)


@pytest.mark.parametrize(
    ("attempts", "note", "minutes"),
    [
        (1, None, 1),
        (4, None, 8),
        (40, None, 24 * 60),
        (1, "quota", 10),
        (6, "quota", 40),
        (40, "quota", 24 * 60),
    ],
)
def test_after_a_failure_there_is_a_pause_that_grows(
    attempts: int, note: str | None, minutes: int
) -> None:
    known = ledger(missing(attempts=attempts, tried_at=NOON, note=note))
    due = NOON + dt.timedelta(minutes=minutes)

    assert not is_due(YESTERDAY, known, due - dt.timedelta(seconds=1))
    assert is_due(YESTERDAY, known, due)
    assert is_due(YESTERDAY, known, NOON, retrying=True)


def test_a_loaded_day_is_due_two_days_after_its_load_and_a_final_one_never() -> None:
    row = loaded(YESTERDAY)
    later = row.loaded_at + 2 * DAY

    assert not is_due(YESTERDAY, ledger(row), later - HOUR)
    assert is_due(YESTERDAY, ledger(row), later)
    assert not is_due(YESTERDAY, ledger(row._replace(state=DayState.FINAL)), later + 99 * DAY)


def test_a_suspect_day_is_due_daily() -> None:
    row = loaded(YESTERDAY, DayState.SUSPECT)

    assert not is_due(YESTERDAY, ledger(row), row.tried_at + 23 * HOUR)
    assert is_due(YESTERDAY, ledger(row), row.tried_at + DAY)


# --- complete or not -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "seen_before", "now", "fetched"),
    [
        (50_000, None, at(3), False),
        (50_000, 40_000, at(4), False),
        (50_000, 50_000, at(4), True),
        (30_000, 30_000, at(4), False),
        (30_000, 30_000, at(12), True),
        (30_000, 20_000, at(12), True),
        (None, None, at(3), True),
        (0, 0, at(4), False),
        (0, 0, at(12), False),
    ],
)
def test_a_day_is_fetched_once_its_bytes_rest_and_are_as_many_as_usual_or_at_noon(
    seen: int | None, seen_before: int | None, now: dt.datetime, fetched: bool
) -> None:
    known = ledger(missing(dry_run_bytes=seen_before), *weeks(1_000))

    decision = decide(YESTERDAY, known, seen, now)

    assert decision.fetch is fetched
    assert fetched or (decision.state is DayState.MISSING and decision.note)
    assert decision.failed is (seen == 0 and now == at(12))


def test_without_weeks_to_compare_with_resting_bytes_are_enough() -> None:
    known = ledger(missing(dry_run_bytes=30_000), *weeks(1_000, count=1))

    assert decide(YESTERDAY, known, 30_000, at(4)).fetch


# --- states --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("downloads", "state"),
    [
        (599, DayState.SUSPECT),
        (600, DayState.LOADED),
        (1_700, DayState.LOADED),
        (1_701, DayState.SUSPECT),
    ],
)
def test_a_day_far_from_the_median_of_its_weekday_is_suspect(
    downloads: int, state: DayState
) -> None:
    known = ledger(*weeks(1_000)[:3], *weeks(9_999, count=5)[3:])

    assert assess(YESTERDAY, known, downloads, NOON)[0] is state


def test_the_median_wants_two_weeks_and_no_other_weekday() -> None:
    others = [loaded(before(n), downloads=7) for n in range(1, 7)]

    assert (
        usual(ledger(*others, *weeks(1_000, count=1)), YESTERDAY, lambda row: row.downloads) is None
    )
    assert (
        usual(ledger(*others, *weeks(1_000, count=2)), YESTERDAY, lambda row: row.downloads)
        == 1_000
    )


def test_a_day_with_more_bytes_after_two_days_is_fetched_again_and_then_final() -> None:
    row = loaded(YESTERDAY)
    later = row.loaded_at + 2 * DAY

    assert not decide(YESTERDAY, ledger(row), 50_050, later).fetch
    assert decide(YESTERDAY, ledger(row), 50_051, later).fetch
    assert decide(YESTERDAY, ledger(row), 49_949, later).fetch
    assert assess(YESTERDAY, ledger(row), 1_100, later) == (
        DayState.FINAL,
        "fetched again two days after the load: 1,000 downloads became 1,100",
    )


def test_an_unchanged_day_is_final_without_a_fetch() -> None:
    row = loaded(YESTERDAY)

    assert decide(YESTERDAY, ledger(row), 50_000, row.loaded_at + 2 * DAY) == (
        False, DayState.FINAL, "unchanged two days after its load", False,
    )  # fmt: skip
    assert decide(YESTERDAY, ledger(row), None, row.loaded_at + 2 * DAY) == (
        False, DayState.FINAL, "the source can't tell changes", False,
    )  # fmt: skip


def test_a_suspect_day_is_fetched_the_next_day_and_then_when_its_bytes_change() -> None:
    row = loaded(YESTERDAY, DayState.SUSPECT, downloads=400)
    next_day = row.loaded_at + DAY
    confirmed = row._replace(loaded_at=next_day, tried_at=next_day)
    known = ledger(*weeks(1_000), confirmed)

    assert decide(YESTERDAY, ledger(*weeks(1_000), row), 50_000, next_day).fetch
    assert decide(YESTERDAY, known, 60_000, next_day + DAY).fetch
    assert decide(YESTERDAY, known, None, next_day + DAY).fetch
    assert decide(YESTERDAY, known, 50_000, next_day + DAY)[:2] == (False, DayState.SUSPECT)
    assert decide(YESTERDAY, known, 50_000, next_day + 2 * DAY) == (
        False, DayState.FINAL, "40% of what its weekday usually has, and settled at that", False,
    )  # fmt: skip


def test_a_suspect_day_that_was_corrected_is_looked_at_again_before_it_is_final() -> None:
    row = loaded(YESTERDAY, DayState.SUSPECT, downloads=400)
    known = ledger(*weeks(1_000), row)
    next_day = row.loaded_at + DAY

    assert assess(YESTERDAY, known, 990, next_day) == (DayState.LOADED, None)
    assert schedule.changed_at(row, 990, next_day) == next_day
    assert schedule.changed_at(row, 400, next_day) == row.loaded_at


# --- whatever the ledger holds -----------------------------------------------------------------

times = st.none() | st.integers(0, 9 * 24 * 60).map(lambda n: NOON - dt.timedelta(minutes=n))
figures = st.integers(1, 3_000)


@st.composite
def rows(draw: st.DrawFn, day: dt.date) -> LedgerDay:
    state = draw(st.sampled_from(DayState))
    row = missing(
        day,
        tried_at=draw(times),
        attempts=draw(st.integers(0, 9)),
        note=draw(st.none() | st.just("x")),
    )
    if state is DayState.MISSING:
        return row
    time = draw(times) or NOON
    return row._replace(
        state=state, downloads=draw(figures), dry_run_bytes=draw(st.none() | figures),
        loaded_at=time, changed_at=time, tried_at=time,
    )  # fmt: skip


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    days = draw(st.sets(st.integers(0, 60), max_size=12))
    return ledger(*(draw(rows(before(n))) for n in days))


@given(ledgers())
def test_each_run_is_bounded_and_asks_for_no_day_that_is_final_or_not_kept(known: Ledger) -> None:
    due = due_days(known, NOON, days=30)
    states = {row.day: row.state for row in window(known, NOON, days=30)}

    assert len(due) <= schedule.MISSING_A_RUN + schedule.LOOKS_A_RUN
    assert {states[day] for day in due} <= set(DayState) - {DayState.FINAL}
    assert all(is_due(day, known, NOON) for day in due)


@given(ledgers(), st.none() | st.integers(0, 3_000))
def test_what_is_decided_without_a_fetch_has_a_reason_or_is_plainly_loaded(
    known: Ledger, seen: int | None
) -> None:
    for row in window(known, NOON, days=61):
        if is_due(row.day, known, NOON):
            decision = decide(row.day, known, seen, NOON)
            assert decision.fetch or decision.note or decision.state is DayState.LOADED
            assert (decision.state is DayState.MISSING) == (row.state is DayState.MISSING)


@given(st.integers(100, 5_000), st.sampled_from([None, 100, 5_000]))
def test_a_source_that_rests_makes_every_day_final_within_a_week(
    downloads: int, seen: int | None
) -> None:
    known = dict(ledger(*weeks(1_000)))
    now = at(3)
    while now < NOON + 7 * DAY:
        if is_due(YESTERDAY, known, now):
            decision = decide(YESTERDAY, known, seen, now)
            old = known.get(YESTERDAY, missing())
            if decision.fetch:
                state, note = assess(YESTERDAY, known, downloads, now)
                known[YESTERDAY] = old._replace(
                    state=state, note=note, downloads=downloads, dry_run_bytes=seen, loaded_at=now,
                    changed_at=schedule.changed_at(old, downloads, now), tried_at=now,
                )  # fmt: skip
            else:
                known[YESTERDAY] = old._replace(
                    state=decision.state, note=decision.note, dry_run_bytes=seen, tried_at=now
                )
        now += HOUR

    assert known[YESTERDAY].state is DayState.FINAL
    assert known[YESTERDAY].note
