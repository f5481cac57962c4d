"""A process knows the data revision without asking for each answer."""

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from pypistats.queries import DataRevision, Revision
from pypistats.revision import HASTE, PATIENCE, RevisionWatch
from tests.made import bump
from tests.pipeline_processes import until

NOON = dt.datetime(2026, 3, 16, 12, tzinfo=dt.UTC)


def at(latest: int, whole: int | None = None, **packages: int) -> DataRevision:
    """Return a data revision whose changes were all made at noon."""
    number = latest if whole is None else whole
    own = {name: Revision(change, NOON) for name, change in packages.items()}
    return DataRevision(latest, Revision(number, NOON), own, None)


class Store:
    """Gives the revisions it is told, one by one and then the last one; counts the reads."""

    def __init__(self, *answers: DataRevision | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, since: int) -> DataRevision:
        self.asked.append(since)
        assert self.gate.wait(60)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_it_is_read_once_while_it_is_fresh() -> None:
    read = Store(at(1))
    watch = RevisionWatch(read, seconds=3_600)

    assert [watch.current() for _ in range(1_000)] == [at(1)] * 1_000
    assert read.asked == [0]


def test_many_threads_wait_for_one_read() -> None:
    read = Store(at(1))
    read.gate.clear()
    watch = RevisionWatch(read, seconds=3_600)
    started = threading.Barrier(21)

    def ask() -> DataRevision | None:
        started.wait(60)
        return watch.current()

    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask) for _ in range(20)]
        started.wait(60)
        read.gate.set()

    assert [answer.result() for answer in answers] == [at(1)] * 20
    assert read.asked == [0]


def test_unchanged_is_the_same_object() -> None:
    watch = RevisionWatch(Store(at(1), at(1)), seconds=0)

    assert watch.current() is watch.current()


def test_changes_of_packages_are_gathered() -> None:
    read = Store(at(5, 3, flask=5), at(6, 3, requests=6), at(8, 3, flask=8))
    watch = RevisionWatch(read, seconds=0)

    assert [watch.current() for _ in range(3)] == [
        at(5, 3, flask=5),
        at(6, 3, flask=5, requests=6),
        at(8, 3, flask=8, requests=6),
    ]
    assert read.asked == [0, 5, 6]


def test_a_change_of_all_covers_what_was_gathered() -> None:
    watch = RevisionWatch(Store(at(5, 3, flask=5), at(7, 6, requests=7)), seconds=0)
    watch.current()

    assert watch.current() == at(7, 6, requests=7)


def test_after_a_restored_backup_all_is_read_again() -> None:
    read = Store(at(9, 3, flask=9), at(5, 3), at(5, 3, requests=5))
    watch = RevisionWatch(read, seconds=0)
    watch.current()

    assert watch.current() == at(5, 3, requests=5)
    assert read.asked == [0, 9, 0]


def test_while_it_can_not_be_read_the_last_known_one_stays() -> None:
    watch = RevisionWatch(Store(at(1), OSError("away"), OSError("away"), at(2)), seconds=0)

    assert [watch.current() for _ in range(4)] == [at(1), at(1), at(1), at(2)]


def test_it_is_none_while_it_was_never_read() -> None:
    read = Store(OSError("away"))
    watch = RevisionWatch(read, seconds=3_600)

    assert [watch.current() for _ in range(3)] == [None] * 3
    assert read.asked == [0]


def test_a_read_that_hangs_holds_up_nobody_for_long() -> None:
    read = Store(at(1))
    watch = RevisionWatch(read, seconds=0)
    watch.current()
    read.gate.clear()

    assert watch.current() == at(1)

    read.gate.set()


def test_while_a_read_hangs_few_find_that_out() -> None:
    read = Store(at(1), at(2))
    watch = RevisionWatch(read, seconds=0.2)
    watch.current()
    read.gate.clear()
    time.sleep(0.45)

    began = time.monotonic()
    assert [watch.current() for _ in range(10)] == [at(1)] * 10
    assert time.monotonic() - began < 5 * PATIENCE
    read.gate.set()

    until(lambda: watch.current() == at(2), "it was read after all")


def test_at_hand_is_what_is_known_while_a_read_hangs() -> None:
    read = Store(at(1), at(2))
    watch = RevisionWatch(read, seconds=0)
    assert watch.at_hand() == at(1)
    read.gate.clear()

    began = time.monotonic()
    assert [watch.at_hand() for _ in range(100)] == [at(1)] * 100
    assert time.monotonic() - began < HASTE
    read.gate.set()

    until(lambda: watch.at_hand() == at(2), "it was read after all")


def test_the_first_one_is_at_hand_soon_or_not_at_all() -> None:
    read = Store(at(1))
    watch = RevisionWatch(read, seconds=1)
    read.gate.clear()

    began = time.monotonic()
    assert [watch.at_hand() for _ in range(100)] == [None] * 100
    assert time.monotonic() - began < 2 * HASTE
    read.gate.set()

    until(lambda: watch.at_hand() == at(1), "it was read after all")


def test_it_follows_the_store(app: Flask) -> None:
    watch: RevisionWatch = app.extensions["answers"].keeper.watch
    first = watch.current()
    assert first is not None

    bump(app, "flask")
    bump(app, "requests")
    second = watch.current()
    assert second is not None
    assert second.of(["flask"]).number == first.latest + 1
    assert second.of(["requests"]).number == first.latest + 2
    bump(app)

    third = watch.current()
    assert third is not None
    assert third.of(["flask"]) == third.of(None) == third.whole
