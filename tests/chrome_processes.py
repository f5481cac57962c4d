"""The processes of a Chrome, found as a stranger would find them."""

import contextlib
from pathlib import Path

import psutil


def guards(parent: int, folder: Path | None = None) -> list[psutil.Process]:
    """Return the guards of the Chromes that a process has started, with files in `folder`."""
    words = ["chrome_guard.py", str(folder or "")]
    children = psutil.Process(parent).children()
    return [child for child in children if all(word in _line(child) for word in words)]


def part(name: str, guard: psutil.Process) -> psutil.Process:
    """Return a Chrome's `wrapper`, which is the guard, `chrome` or `tab`."""
    if name == "wrapper":
        return guard
    (tab,) = [
        child for child in guard.children(recursive=True) if "--type=renderer" in _line(child)
    ]
    if name == "tab":
        return tab
    return next(process for process in tab.parents() if "--type=" not in _line(process))


def leftovers(folder: Path) -> list[str]:
    """Return what is left of Chromes that had `folder` for temporary files."""
    lines = [line for line in map(_line, psutil.process_iter()) if str(folder) in line]
    return lines + [str(path) for path in folder.iterdir()]


def _line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
