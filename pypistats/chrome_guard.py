"""Stands between the web process and its Chrome, and cleans up when either of them is gone.

A script of the standard library, since each Chrome is started by one:

    python chrome_guard.py FOLDER CHROME ARGUMENT ...

Nothing that ends the web process can prevent this from ending Chrome: it sees that the pipe on
which the web process sends its commands has closed, or that it has another parent.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time

CHECK_SECONDS = 1.0
NICENESS = 10
"""Chrome takes the processor time that answers leave: who waits for a picture, waits anyway."""

COMMANDS, ANSWERS = 3, 4
"""The files on which Chrome reads commands and writes answers."""


def main() -> None:
    """Run Chrome as long as it and the web process live, then end it and remove its folder."""
    folder, *command = sys.argv[1:]
    parent = os.getppid()
    _rearrange_files()
    os.nice(NICENESS)
    with subprocess.Popen(command, pass_fds=(COMMANDS, ANSWERS)) as chrome:
        threading.Thread(target=_wait_for_end_of, args=(parent, chrome), daemon=True).start()
        chrome.wait()
    _clean_up(folder)


def remove(folder: str) -> None:
    """Remove the folder of a Chrome that was killed; its processes may take a moment to end."""
    for _attempt in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):  # noqa: PTH110
            return
        time.sleep(0.1)


def _rearrange_files() -> None:
    """Move the pipes from standard input and output to where Chrome wants them."""
    os.dup2(0, COMMANDS)
    os.dup2(1, ANSWERS)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)


def _wait_for_end_of(parent: int, chrome: "subprocess.Popen[bytes]") -> None:
    hangup = select.poll()
    hangup.register(COMMANDS, 0)
    while not hangup.poll(CHECK_SECONDS * 1000) and os.getppid() == parent:
        pass
    chrome.kill()


def _clean_up(folder: str) -> None:
    """Kill the whole process group, this process included, and have a child do the rest."""
    group = os.getpgrp()
    if os.fork() == 0:
        os.setsid()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        remove(folder)


if __name__ == "__main__":
    main()
