"""The temporary folder of a Chrome, locked by the process that uses it.

Who starts a Chrome removes those that nobody holds any more, as they are left where a whole machine
or container was killed at once.
"""

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path

from pypistats.chrome_guard import remove

PREFIX = "pypistats-chrome-"

NEW_SECONDS = 60
"""A folder that is no older than this may be one that isn't locked yet."""


class ChromeFolder:
    """A new folder, held until it is removed."""

    def __init__(self) -> None:
        remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock: int | None = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove the folder, whose processes have ended or are about to."""
        remove(str(self.path))
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def remove_abandoned() -> None:
    """Remove the folders of processes that have ended."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # It may go meanwhile, be another user's, or be held.
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - NEW_SECONDS:
                _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(str(path))
    finally:
        os.close(folder)
