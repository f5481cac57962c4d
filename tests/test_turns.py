"""The order in which a process makes answers."""

import threading
import time
from collections.abc import Iterator

import pytest

from pypistats.turns import Turns

DEADLINE = 30


class Taker:
    """A thread that takes a turn, and keeps it until it is told to end it."""

    def __init__(self, turns: Turns) -> None:
        self.has_begun = threading.Event()
        self._turns = turns
        self._may_end = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def end(self) -> None:
        self._may_end.set()
        self._thread.join(DEADLINE)

    def _take(self) -> None:
        with self._turns:
            self.has_begun.set()
            self._may_end.wait(DEADLINE)


@pytest.fixture
def takers() -> Iterator[list[Taker]]:
    started: list[Taker] = []
    yield started
    for taker in started:
        taker.end()


def start(turns: Turns, takers: list[Taker], *, waiting: int) -> Taker:
    """Start a taker; return once so many wait."""
    taker = Taker(turns)
    takers.append(taker)
    deadline = time.monotonic() + DEADLINE
    while turns.waiting != waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return taker


def test_turns_come_in_the_order_in_which_they_were_waited_for(takers: list[Taker]) -> None:
    turns = Turns(1, patience=DEADLINE)
    order = []
    with turns:
        waiting = [start(turns, takers, waiting=number) for number in (1, 2, 3)]
        assert not any(taker.has_begun.is_set() for taker in waiting)

    for taker in waiting:
        assert taker.has_begun.wait(DEADLINE)
        order.append([other.has_begun.is_set() for other in waiting])
        taker.end()

    assert order == [[True, False, False], [True, True, False], [True, True, True]]


def test_who_has_waited_long_enough_goes_on_all_the_same(takers: list[Taker]) -> None:
    turns = Turns(1, patience=0.01)

    with turns:
        impatient = Taker(turns)
        takers.append(impatient)
        assert impatient.has_begun.wait(DEADLINE)

    assert turns.waiting == 0


def test_turns_that_were_taken_too_many_are_waited_for(takers: list[Taker]) -> None:
    turns = Turns(1, patience=0.01)
    first, impatient = Taker(turns), Taker(turns)
    takers += [first, impatient]
    assert first.has_begun.wait(DEADLINE)
    assert impatient.has_begun.wait(DEADLINE)

    turns.patience = DEADLINE
    last = start(turns, takers, waiting=1)
    first.end()
    assert not last.has_begun.is_set()
    impatient.end()

    assert last.has_begun.wait(DEADLINE)


def test_an_error_ends_a_turn() -> None:
    turns = Turns(1, patience=DEADLINE)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns:
            1 / 0  # noqa: B018
