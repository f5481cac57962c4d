"""INGEST: what is due for which day, worked out from the ledger and the clock. No input or output.

A day opens at 03:00 UTC of the next one, since its last minutes come late, and is loaded once it
is complete at the source, at the latest from noon. Two days after its load the source is asked,
for free, whether rows were added; then the day is final. A day with far more or far fewer
downloads than its weekday usually has is suspect, and is looked at daily until it has settled.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

from pypistats.catalog import DayState, LedgerDay

OPENS = dt.timedelta(hours=3)
LATEST = dt.timedelta(hours=12)
"""After the day's end: when it may be loaded, and when it is loaded complete or not."""

LOOK_EVERY = dt.timedelta(hours=1)
LOOK_AGAIN = dt.timedelta(days=2)
SUSPECT_EVERY = dt.timedelta(days=1)
SETTLES = dt.timedelta(days=3)
"""How long a suspect day's total must have stayed the same."""

SAME = 0.001
"""Figures that differ by no more than this share are the same."""

PLAUSIBLE_BYTES = 0.8
"""A day with a smaller share of the bytes that its weekday usually has is not complete yet."""

LOWEST, HIGHEST = 0.6, 1.7
"""A day whose share of its weekday's usual downloads is not between these is suspect."""

WEEKS_COMPARED, WEEKS_NEEDED = 5, 2

AFTER_FAILURE = dt.timedelta(minutes=10)
AFTER_CRASH = dt.timedelta(minutes=1)
LONGEST_PAUSE = dt.timedelta(days=1)

MISSING_A_RUN, LOOKS_A_RUN = 3, 20
"""Days that one run queues at most, so that a long gap is closed a little at a time."""

_DAY = dt.timedelta(days=1)

Ledger = Mapping[dt.date, LedgerDay]


class Decision(NamedTuple):
    """What to do with a day after a look: fetch it, or write down its state and the reason."""

    fetch: bool
    state: DayState
    note: str | None = None
    failed: bool = False


def last_open_day(now: dt.datetime) -> dt.date:
    """Return the newest day that may be loaded by now."""
    return (now - _DAY - OPENS).date()


def window(ledger: Ledger, now: dt.datetime, *, days: int) -> list[LedgerDay]:
    """Return the days that the schedule keeps: at most `days` up to yesterday, the newest first.

    They begin with the first one in the ledger, loaded or tried. What lies before was never asked
    for, and may cost money.
    """
    return [ledger.get(day, LedgerDay(day, DayState.MISSING)) for day in _kept(ledger, now, days)]


def _kept(ledger: Ledger, now: dt.datetime, days: int) -> list[dt.date]:
    last = (now - _DAY).date()
    first = max(min([*ledger, last]), last - (days - 1) * _DAY)
    return [last - n * _DAY for n in range((last - first).days + 1)]


def due_days(ledger: Ledger, now: dt.datetime, *, days: int) -> list[dt.date]:
    """Return the days for which there is something to do now, the newest first, and not too many.

    `days` is how many days are kept.
    """
    kept = window(ledger, now, days=days)
    due = [row for row in kept if is_due(row.day, ledger, now)]
    missing = [row.day for row in due if row.state is DayState.MISSING]
    looks = [row.day for row in due if row.state is not DayState.MISSING]
    return missing[:MISSING_A_RUN] + looks[:LOOKS_A_RUN]


def is_due(day: dt.date, ledger: Ledger, now: dt.datetime, *, retrying: bool = False) -> bool:
    """Tell whether there is something to do for a day now.

    After a failure there is a pause, but not for one who has it in hand and is `retrying`.
    """
    due_at = _due_at(ledger.get(day, LedgerDay(day, DayState.MISSING)), retrying=retrying)
    return due_at is not None and max(due_at, _end(day) + OPENS) <= now


def _due_at(row: LedgerDay, *, retrying: bool) -> dt.datetime | None:
    """Return when a day is due once it is open; None for never."""
    if row.state is DayState.FINAL:
        return None
    if row.tried_at is None:
        return _end(row.day)
    if row.attempts:
        return row.tried_at if retrying else row.tried_at + _pause(row)
    if row.state is DayState.LOADED:
        return (row.loaded_at or row.tried_at) + LOOK_AGAIN
    if row.state is DayState.SUSPECT:
        return row.tried_at + SUSPECT_EVERY
    noon = _end(row.day) + LATEST
    again = row.tried_at + LOOK_EVERY
    return min(again, noon) if row.tried_at < noon else again


def decide(day: dt.date, ledger: Ledger, seen: int | None, now: dt.datetime) -> Decision:
    """Return what to do with a day after a look; `seen` bytes are there, None if it can't be told.

    The look is free, so it comes before each fetch.
    """
    row = ledger.get(day)
    if row is None or row.state is DayState.MISSING:
        return _decide_missing(day, ledger, seen, now)
    if row.state is DayState.SUSPECT and row.loaded_at == row.changed_at:
        return Decision(fetch=True, state=row.state)
    if seen is None or row.dry_run_bytes is None:
        changed, unchanged = row.state is DayState.SUSPECT, "the source can't tell changes"
    else:
        changed, unchanged = not _same(seen, row.dry_run_bytes), "unchanged two days after its load"
    state, note = assess(day, ledger, row.downloads or 0, now)
    return Decision(
        fetch=changed,
        state=state,
        note=unchanged if state is DayState.FINAL and note is None else note,
    )


def assess(
    day: dt.date, ledger: Ledger, downloads: int, now: dt.datetime
) -> tuple[DayState, str | None]:
    """Return the state of a day that turns out to have so many downloads, and the reason.

    The ledger still holds what was known of the day before.
    """
    row = ledger.get(day)
    known = row is not None and row.state is not DayState.MISSING
    share = _share(downloads, usual(ledger, day, lambda each: each.downloads))
    if share is not None and not LOWEST <= share <= HIGHEST:
        note = f"{share:.0%} of what its weekday usually has"
        if known and now - changed_at(row, downloads, now) >= SETTLES:
            return DayState.FINAL, f"{note}, and settled at that"
        return DayState.SUSPECT, note
    if row is None or row.state is not DayState.LOADED or not _looked_again(row, now):
        return DayState.LOADED, None
    same = row.downloads is not None and _same(downloads, row.downloads)
    return DayState.FINAL, None if same else _growth(row.downloads, downloads)


def changed_at(row: LedgerDay | None, downloads: int, now: dt.datetime) -> dt.datetime:
    """Return since when a day has had so many downloads; `row` is what was known of it before."""
    if row is None or row.changed_at is None or row.downloads is None:
        return now
    return row.changed_at if _same(downloads, row.downloads) else now


def usual(ledger: Ledger, day: dt.date, value: Callable[[LedgerDay], int | None]) -> float | None:
    """Return the median of the same weekday in the weeks before; None with too few to tell."""
    before = (ledger.get(day - weeks * 7 * _DAY) for weeks in range(1, WEEKS_COMPARED + 1))
    known = [
        found
        for row in before
        if row is not None and row.state is not DayState.MISSING and (found := value(row))
    ]
    return median(known) if len(known) >= WEEKS_NEEDED else None


def _decide_missing(day: dt.date, ledger: Ledger, seen: int | None, now: dt.datetime) -> Decision:
    """Fetch a day once it is complete.

    Before noon, that is when the source has as many bytes as at the look before, and about as
    many as the weekday usually has. From noon, what is there is taken.
    """
    row = ledger.get(day)
    late = now >= _end(day) + LATEST
    if seen == 0:
        note = "the source has nothing for it"
        return Decision(fetch=False, state=DayState.MISSING, note=note, failed=late)
    share = seen and _share(seen, usual(ledger, day, lambda each: each.dry_run_bytes))
    before = row.dry_run_bytes if row is not None else None
    stable = before is not None and seen is not None and _same(seen, before)
    if seen is None or late or (stable and (share is None or share >= PLAUSIBLE_BYTES)):
        return Decision(fetch=True, state=DayState.MISSING)
    told = "" if share is None else f", {share:.0%} of the usual"
    note = f"not complete at the source yet: {seen:,} bytes{told}"
    return Decision(fetch=False, state=DayState.MISSING, note=note)


def _looked_again(row: LedgerDay, now: dt.datetime) -> bool:
    return row.loaded_at is not None and now >= row.loaded_at + LOOK_AGAIN


def _end(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day + _DAY, dt.time(), dt.UTC)


def _pause(row: LedgerDay) -> dt.timedelta:
    """Return how long to wait after a try that failed, or one that no one has heard of since."""
    if row.note is None:
        pause, doublings = AFTER_CRASH, row.attempts - 1
    else:
        pause, doublings = AFTER_FAILURE, row.attempts // 3
    return min(pause * int(2 ** min(doublings, 20)), LONGEST_PAUSE)


def _same(figure: int, other: int) -> bool:
    return abs(figure - other) <= SAME * other


def _share(figure: int, whole: float | None) -> float | None:
    return figure / whole if whole else None


def _growth(before: int | None, downloads: int) -> str:
    return f"fetched again two days after the load: {before or 0:,} downloads became {downloads:,}"
