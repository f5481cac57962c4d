"""Runs a command that ends with another process: `python tied.py PID COMMAND`.

By it none of the Procfile's processes outlives `make run`, not even when that is killed. It runs
as a file, without the package around it, which would take a second to import. Signals come to the
whole group of processes: what the command makes of them is its own matter.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

LOOK_SECONDS = 0.5
MERCY_SECONDS = 5


def main(pid: int, command: str) -> int:
    """Run a command while a process is there; return its exit code."""
    # A handler, since what is ignored stays ignored in the command.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    with subprocess.Popen(["/bin/sh", "-c", f"exec {command}"]) as process:
        while process.poll() is None:
            if not _is_there(pid):
                _end_group(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
    code = process.returncode
    return code if code >= 0 else 128 - code


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ask the group to end, and kill it, this process with it, if it is there for long after."""
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(MERCY_SECONDS)
    time.sleep(LOOK_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
