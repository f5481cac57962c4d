"""PRESENT: text from outside, made fit for plotly.js, which shows it as it is; pure."""

import unicodedata

from pypistats.badges import JOINERS, text_width

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
"""What plotly.js takes for HTML or for TeX."""

INTER = 0.95
"""What no text in Inter exceeds of its measured width, which is Verdana's."""


def escaped(text: str) -> str:
    """Return text that plotly.js reads as no more than text."""
    return text.translate(_ESCAPES)


def fitted(text: str, ems: float, *, bold: bool = False) -> str:
    """Return text without what can't be seen, in one line, cut to `ems` ems."""
    line = " ".join(text.split())
    line = "".join(each for each in line if each in JOINERS or unicodedata.category(each)[0] != "C")
    if width(line, bold=bold) <= ems:
        return line
    room = ems - 1
    for end, character in enumerate(line):
        room -= width(character, bold=bold)
        if room < 0:
            return f"{line[:end].rstrip()}…"
    return line


def width(text: str, *, bold: bool = False) -> float:
    """Return how wide a text is in ems, rather too wide than too narrow."""
    return INTER * text_width(text, size=1, bold=bold)
