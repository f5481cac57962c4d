"""A quarter on a source with every fault: each final day is the truth, and hardly costs more."""

import datetime as dt

import click
import pytest

from pypistats import pipeline, queries
from pypistats.catalog import ALL_PACKAGES, DayState
from pypistats.extensions import db
from pypistats.sources import SourceError
from tests.simulated_source import FATES, FIRST, LAST, SimulatedSource, Spent

pytestmark = pytest.mark.usefixtures("app_context")

HOUR = dt.timedelta(hours=1)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = dt.datetime.combine(FIRST, dt.time(), dt.UTC) + 24 * HOUR

    def __call__(self) -> dt.datetime:
        return self.now


def work_an_hour(source: SimulatedSource, clock: Clock) -> None:
    """Do what beat and the workers do in an hour, when retries don't help."""
    for day in pipeline.due_days(days=180, clock=clock):
        try:
            pipeline.tend_day(day, lambda: source, clock=clock)
        except SourceError:
            db.session.rollback()
    clock.now += HOUR


def report(spent: Spent, least: Spent) -> str:
    return (
        f"{spent.queries} queries, {spent.bytes:,} bytes billed, {spent.looks} free looks;"
        f" least possible: {least.queries} queries, {least.bytes:,} bytes"
        f" ({spent.bytes / least.bytes:.2f} times as many bytes)"
    )


def test_a_quarter_ends_with_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    source = SimulatedSource(clock, seed=4)
    assert set(source.fates.values()) == set(FATES)
    end = dt.datetime.combine(LAST, dt.time(), dt.UTC) + 11 * 24 * HOUR
    while clock.now < end:
        work_an_hour(source, clock)

    days = [day for day in queries.ledger() if day <= LAST]
    assert len(days) == (LAST - FIRST).days + 1
    assert {queries.ledger()[day].state for day in days} == {DayState.FINAL}
    wrong = [day for day in days if list(queries.stored_days(day, day)) != source.truth(day)]
    assert wrong == []
    total = sum(row.without_mirrors for day in days for row in source.truth(day))
    assert queries.total(ALL_PACKAGES) == total
    with capsys.disabled():
        click.echo(f"\n{report(source.spent, source.least())}")
    assert source.spent.queries <= 1.4 * source.least().queries
    assert source.spent.bytes <= 1.5 * source.least().bytes
