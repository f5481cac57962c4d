"""PRESENT: text from outside, made fit for plotly.js, which shows it as it is; pure."""

import unicodedata

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
"""What plotly.js takes for HTML or for TeX."""


def plain(text: str, ems: float) -> str:
    """Return text for plotly.js in one line of at most `ems` ems."""
    return escaped(fitted(text, ems))


def escaped(text: str) -> str:
    """Return text that plotly.js reads as no more than text."""
    return text.translate(_ESCAPES)


def fitted(text: str, ems: float) -> str:
    """Return text without what can't be seen, in one line, cut to `ems` ems."""
    line = " ".join(text.split())
    line = "".join(each for each in line if unicodedata.category(each)[0] != "C")
    if width(line) <= ems:
        return line
    room = ems - 1
    for end, character in enumerate(line):
        room -= width(character)
        if room < 0:
            return f"{line[:end].rstrip()}…"
    return line


def width(text: str) -> float:
    """Estimate how wide a text is in ems, rather too wide than too narrow."""
    return sum(map(_character_width, text))


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0
    return 1.05 if unicodedata.east_asian_width(character) in "WF" else 0.62
