"""QUERY: which revision the data is at, known to each process without asking for every answer."""

import logging
import threading
import time
from collections.abc import Callable

from pypistats.queries import DataRevision

logger = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds that a caller waits for a read. After them the last known revision has to do, and for
some time nobody waits."""

HASTE = 0.5
"""Seconds for the same where an answer at once matters more than a true one."""

RETRY_FACTOR = 5
"""After a read that failed, the next one comes so many times later than after one that worked."""


class RevisionWatch:
    """Knows the data revision, and reads it again once it is `seconds` old and asked for.

    Reads are made by a thread of their own, one at a time, so that a database that hangs holds up
    no caller for longer than `PATIENCE`. While it is out of reach, the last known revision stays.
    A watch starts nothing before it is first asked, and may so be made before a fork.
    """

    def __init__(self, read: Callable[[int], DataRevision], *, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self.known: DataRevision | None = None
        """The last known revision, however old."""
        self._fresh_until = 0.0
        self._usable_until = 0.0
        self._lock = threading.Lock()
        self._reading: threading.Event | None = None
        self._failing = False

    def at_hand(self) -> DataRevision | None:
        """Return the last known revision at once, and have it read if that is due.

        Only the first one is waited for, up to `HASTE`; None when it could never be read.
        """
        if self.known is None:
            return self.current(patience=HASTE)
        if time.monotonic() >= self._fresh_until:
            self._start_reading()
        return self.known

    def current(self, *, patience: float = PATIENCE) -> DataRevision | None:
        """Return the data revision; None when it could never be read.

        The same object comes back as long as nothing has changed.
        """
        now = time.monotonic()
        if now < self._fresh_until:
            return self.known
        is_usable = now < self._usable_until
        done = self._start_reading()
        if not is_usable and not done.wait(patience):
            # It hangs, and whoever asks next is not made to find that out as well.
            self._usable_until = time.monotonic() + self._seconds * RETRY_FACTOR
        return self.known

    def _start_reading(self) -> threading.Event:
        with self._lock:
            if self._reading is None and time.monotonic() < self._fresh_until:
                # It was read since the caller looked.
                done = threading.Event()
                done.set()
                return done
            if self._reading is None:
                self._reading = threading.Event()
                threading.Thread(target=self._refresh, args=(self._reading,), daemon=True).start()
            return self._reading

    def _refresh(self, done: threading.Event) -> None:
        pause = self._seconds * RETRY_FACTOR
        try:
            self.known = self._newer()
            pause = self._seconds
            self._tell(failing=False)
        except Exception as error:
            self._tell(failing=True, error=error)
        finally:
            self._fresh_until = time.monotonic() + pause
            # Under load, callers do not wait for the read that comes next.
            self._usable_until = self._fresh_until + pause
            with self._lock:
                self._reading = None
            done.set()

    def _newer(self) -> DataRevision:
        known = self.known
        if known is None:
            return self._read(0)
        read = self._read(known.latest)
        if read.latest < known.latest:
            logger.warning("the data revision went back from %d to %d", known.latest, read.latest)
            return self._read(0)
        if read.whole == known.whole:
            read = read._replace(packages={**known.packages, **read.packages})
        return known if read == known else read

    def _tell(self, *, failing: bool, error: Exception | None = None) -> None:
        """Log an outage once, and its end."""
        if failing and not self._failing:
            logger.warning("the data revision can't be read, the last known one stays: %s", error)
        elif self._failing and not failing:
            logger.info("the data revision can be read again")
        self._failing = failing
