"""PRESENT: the order in which a process makes answers.

Threads that all have work share the processor, so that each takes as long as all of them; and
whichever wakes up first goes on, while another may wait for twenty that came after it.
"""

import collections
import threading


class Turns:
    """Lets so many threads into its `with` at a time, in the order in which they came.

    It is no limit: who has waited for `patience` seconds goes on all the same, since those before
    it may wait for a database and not for a processor.
    """

    def __init__(self, places: int, *, patience: float) -> None:
        self._free = places
        """How many more may go on; negative when some have lost their patience."""
        self.patience = patience
        self._waiting: collections.deque[threading.Lock] = collections.deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def __enter__(self) -> None:
        """Go on once it is one's turn."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=self.patience):
            return
        with self._lock:
            # It may have become one's turn just now.
            if mine in self._waiting:
                self._waiting.remove(mine)
                self._free -= 1

    def __exit__(self, *_error: object) -> None:
        """Let the next one go on."""
        with self._lock:
            self._free += 1
            if self._free > 0 and self._waiting:
                self._free -= 1
                self._waiting.popleft().release()
