"""Writes pypistats/text_widths.json, the advance widths that badges are measured with.

    pip install fonttools
    python -m tests.measure_text_widths DejaVuSans.ttf DejaVuSans-Bold.ttf

Badges ask for Verdana, which is not free to measure. DejaVu Sans comes from a font that was drawn
to Verdana's measures: words are within 2.5 % of it. It is also what Linux draws in its place.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

TABLE = Path(__file__).parent.parent / "pypistats" / "text_widths.json"
UNITS = 1000
"""Widths are written in thousandths of the font's size."""

RANGES = (
    (0x0020, 0x007E),
    (0x00A0, 0x024F),
    (0x0370, 0x052F),
    (0x1E00, 0x1EFF),
    (0x2010, 0x205E),
    (0x20A0, 0x20BF),
    (0x2190, 0x22FF),
    (0x2600, 0x26FF),
)
"""Latin, Greek and Cyrillic, then punctuation, currencies, arrows, signs and symbols."""


def widths(path: str) -> dict[str, int]:
    """Return the advance width of each character that the font has, rounded up."""
    from fontTools.ttLib import TTFont

    font: Any = TTFont(path)
    em, glyphs, advances = font["head"].unitsPerEm, font.getBestCmap(), font["hmtx"]
    return {
        chr(point): -(-advances[glyphs[point]][0] * UNITS // em)
        for first, last in RANGES
        for point in range(first, last + 1)
        if point in glyphs
    }


def main(regular: str, bold: str) -> None:
    """Write the table, both weights."""
    TABLE.write_bytes(orjson.dumps({"regular": widths(regular), "bold": widths(bold)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
