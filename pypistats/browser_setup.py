"""Gets a browser for the pictures of charts, before `make run` and `make test`. For development.

A machine that can't have one is told how to get it, and everything but the pictures works there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pypistats.browsers import find_browser

DEBIAN_PACKAGES = ("chromium-headless-shell", "fonts-droid-fallback")
"""The browser, and a font for the scripts that the site's own font lacks."""

DOWNLOADER = "kaleido_get_chrome"
SECONDS = 600


def main() -> None:
    """Get a browser unless there is one, and say what can be done if there can't."""
    named = os.environ.get("BROWSER_PATH")
    if _has_browser(named):
        return
    if named:
        say(f"BROWSER_PATH names no program that starts: {named}")
    elif _get_from_debian() or _get_from_kaleido():
        return
    else:
        say(f"there is no browser that starts. To get one: {_advice()}")
        say("or let BROWSER_PATH name a Chrome or Chromium")
    say("going on without: pictures of charts answer 503, and all else works")


def say(text: str) -> None:
    """Print one step."""
    click.echo(f"pypistats: {text}")


def _get_from_debian() -> bool:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    say("installing Debian's chromium-headless-shell, which draws the pictures of charts")
    install = ("install", "--yes", "--no-install-recommends", *DEBIAN_PACKAGES)
    if not _apt_get(*install):
        # The list of packages may be old, or empty as in a container.
        _apt_get("update")
        _apt_get(*install)
    return _has_browser(None)


def _apt_get(*words: str) -> bool:
    return _succeeds(["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *words])


def _get_from_kaleido() -> bool:
    say("downloading a Chrome by kaleido_get_chrome, which draws the pictures of charts")
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    downloader = shutil.which(DOWNLOADER, path=path)
    return downloader is not None and _succeeds([downloader]) and _has_browser(None)


def _has_browser(named: str | None) -> bool:
    """Return whether there is a browser that starts: a downloaded one may lack libraries."""
    browser = find_browser(named)
    return browser is not None and _succeeds([browser, "--version"])


def _succeeds(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _advice() -> str:
    if shutil.which("apt-get"):
        return f"sudo apt-get install {' '.join(DEBIAN_PACKAGES)}"
    return f"{Path(sys.executable).parent / DOWNLOADER}"


if __name__ == "__main__":
    main()
