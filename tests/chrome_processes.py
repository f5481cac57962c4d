"""The processes of a Chrome, found as a stranger would find them."""

import contextlib
from pathlib import Path

import psutil


def guards(parent: int) -> list[psutil.Process]:
    """Return the guards of the Chromes that a process has started."""
    return [child for child in psutil.Process(parent).children() if _is_guard(child)]


def part(name: str, parent: int) -> psutil.Process:
    """Return the only Chrome's `wrapper`, `chrome` or `tab`."""
    (guard,) = guards(parent)
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


def _is_guard(process: psutil.Process) -> bool:
    return "chrome_guard.py" in _line(process)


def _line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
