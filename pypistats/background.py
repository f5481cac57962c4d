"""PRESENT: what a web process does when nobody waits for it, one thing at a time."""

import threading
import time
from collections.abc import Callable

MOST_JOBS = 1_000
"""How many may wait: the next one is left out, and will be asked for again."""

REST, LONGEST_REST = 3, 1.0
"""After each job it rests for so many times as long as that took, and for so many seconds at most:
answers want the processor too."""


class Background:
    """Does jobs in a thread of its own, in the order in which they came. They must not raise.

    The thread is there while there is something to do, so none is inherited by a fork.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._is_running = False

    def do(self, key: str, job: Callable[[], None]) -> None:
        """Have a job done, unless one of that key waits or is being done."""
        with self._lock:
            if key in self._jobs or len(self._jobs) >= MOST_JOBS:
                return
            self._jobs[key] = job
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="background", daemon=True).start()

    def _run(self) -> None:
        while (first := self._first()) is not None:
            key, job = first
            begin = time.monotonic()
            try:
                job()
            finally:
                with self._lock:
                    del self._jobs[key]
            time.sleep(min(REST * (time.monotonic() - begin), LONGEST_REST))

    def _first(self) -> tuple[str, Callable[[], None]] | None:
        """Return the job that has waited longest; without any, the thread ends."""
        with self._lock:
            for key, job in self._jobs.items():
                return key, job
            self._is_running = False
            return None
