"""PRESENT: the colours of charts, light and dark, and which category gets which; pure.

The ten colours of a theme and its greys stay apart for readers with any of the common kinds of
colour blindness, and stand out from the background (`tests/test_palette.py` measures both).
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from pypistats.catalog import NULL, OTHER, WITH_MIRRORS, WITHOUT_MIRRORS


class Theme(StrEnum):
    """What a chart is made to stand on."""

    LIGHT = "light"
    DARK = "dark"


class Colors(NamedTuple):
    """A theme's colours. Those of the same place in two themes' `categories` are kin."""

    paper: str
    ink: str
    quiet: str
    rule: str
    grid: str
    suspect: str
    other: str
    null: str
    categories: tuple[str, ...]


COLORS: Mapping[Theme, Colors] = {
    Theme.LIGHT: Colors(
        paper="#ffffff",
        ink="#1c2733",
        quiet="#55626f",
        rule="#c3ccd5",
        grid="#e9edf1",
        suspect="#fbe3a6",
        other="#a9b0b7",
        null="#868d95",
        categories=(
            "#2964de", "#d67100", "#46985c", "#b33b60", "#814eb5",
            "#349cd6", "#825d1d", "#fd4784", "#5d4c00", "#202e6c",
        ),
    ),
    Theme.DARK: Colors(
        paper="#0d1117",
        ink="#e4e9ee",
        quiet="#a0acb8",
        rule="#3d4854",
        grid="#222a33",
        suspect="#4a3d12",
        other="#59616a",
        null="#7d858e",
        categories=(
            "#5799fe", "#fe962a", "#3fc6a8", "#dc5267", "#b089cd",
            "#7cd3ff", "#c69265", "#f9a2d0", "#ccd753", "#5966c8",
        ),
    ),
}  # fmt: skip

_KNOWN = {
    WITHOUT_MIRRORS: 0, WITH_MIRRORS: 6,
    "3": 0, "2": 1,
    "Linux": 0, "Windows": 1, "Darwin": 4,
    "pip": 0, "uv": 4, "poetry": 2, "requests": 1, "Browser": 5, "bandersnatch": 6, "conda": 8,
    "pdm": 7, "setuptools": 9, "Homebrew": 3,
}  # fmt: skip
"""The places of categories that most charts have."""

_PYTHON_3 = re.compile(r"3\.([0-9]{1,3})")


def colors_of(categories: Iterable[str], theme: Theme) -> dict[str, str]:
    """Return a colour for each category, the same in every chart as far as that can be.

    Well-known ones have a place of their own, and the others one that their name gives. Where two
    meet, the well-known one stays, then the one whose name sorts first; the other moves on to
    the next free place. So up to ten categories never share one, `null` and `other` aside.
    """
    colors = COLORS[theme]
    found = {OTHER: colors.other, NULL: colors.null}
    named = sorted(set(categories) - set(found), key=lambda name: (_known(name) is None, name))
    taken: set[int] = set()
    for name in named:
        place = _free(_place(name), taken, len(colors.categories))
        taken.add(place)
        found[name] = colors.categories[place]
    return {name: found[name] for name in categories}


def _known(name: str) -> int | None:
    """Return a well-known category's place; recent minor versions of Python are ten in a row."""
    if minor := _PYTHON_3.fullmatch(name):
        return (14 - int(minor[1])) % 10
    return _KNOWN.get(name)


def _place(name: str) -> int:
    known = _known(name)
    return zlib.crc32(name.encode()) % 10 if known is None else known


def _free(place: int, taken: set[int], places: int) -> int:
    """Return the first free place from `place` on; `place` itself where none is left."""
    following = ((place + step) % places for step in range(places))
    return next((each for each in following if each not in taken), place)


def translucent(color: str, alpha: float) -> str:
    """Return a `#rrggbb` colour with an opacity, 0 to 1."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
