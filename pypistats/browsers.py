"""Which browser draws the pictures: the one that is named, or the one that this machine has."""

import shutil

NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "google-chrome",
    "chrome",
)
"""What is looked for on PATH, the best first: a headless shell takes half of the memory."""


def find_browser(named: str | None) -> str | None:
    """Return the path of the program that is `named`, or of the best there is; None for none.

    A program that is named and isn't there is not replaced by another.
    """
    if named:
        return shutil.which(named)
    found = (path for name in NAMES if (path := shutil.which(name)))
    return next(found, None) or _last_resort()


def _last_resort() -> str | None:
    """Return what `kaleido_get_chrome` has downloaded, or a less usual name on PATH."""
    from choreographer.browsers.chromium import Chromium  # noqa: PLC0415

    return Chromium.find_browser(skip_local=False, skip_typical=True)


class ChromeGoneError(Exception):
    """Chrome or its tab has ended while it was needed."""
