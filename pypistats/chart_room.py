"""PRESENT: the room that a chart has for its type, its heading and its legend; pure."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from pypistats import series
from pypistats.catalog import LABELS, NULL, Dimension
from pypistats.plain_text import fitted, width
from pypistats.series import Grid

LEFT, RIGHT = 44, 30
"""The pixels beside what is drawn."""

NAME_EMS, MARK, SIDES = 16, 50, 80
"""How wide a category's name may be, and the pixels of its mark and of the picture's sides."""

KEY, BETWEEN = 40, 5
"""The pixels of an entry of the legend beside its name, and between two entries, in all sizes."""

SMALL_WIDTH, SMALL_HEIGHT = 560, 360
"""A picture that is narrower or lower is a small one."""

SHORT = {NULL: "unknown", "Darwin": "macOS"}
"""What a small picture has in place of `LABELS`, so that three names fit beside each other."""


class Size(NamedTuple):
    """The size of a chart in pixels, and how much larger than usual its type and lines are."""

    width: int
    height: int

    @property
    def unit(self) -> float:
        """Return the factor: a wide picture is shown smaller than it is, in a README at 830 px."""
        return min(max(self.width / 960, 1.0), 1.5)

    @property
    def small(self) -> bool:
        """Tell whether type and heading have to be smaller, and the legend short."""
        return self.width < SMALL_WIDTH or self.height < SMALL_HEIGHT * self.unit

    @property
    def font(self) -> float:
        """Return the size of type."""
        return (12 if self.small else 13) * self.unit

    @property
    def top(self) -> float:
        """Return the pixels above what is drawn, which the heading takes."""
        return (61 if self.small else 88) * self.unit

    @property
    def below(self) -> float:
        """Return the pixels below what is drawn, which the days and the legend's sides take."""
        return (31 if self.small else 52) * self.unit

    @property
    def row(self) -> float:
        """Return the height of a row of the legend."""
        return (19 if self.small else 19.5) * self.unit

    @property
    def name_ems(self) -> float:
        """Return how wide a category's name may be, so that two fit beside each other."""
        room = (self.width / self.unit - SIDES) / 2 - MARK
        return min(NAME_EMS, room * self.unit / self.font)


def shown_name(category: str, size: Size) -> str:
    """Return what a chart calls a category."""
    labels = LABELS | SHORT if size.small else LABELS
    return fitted(labels.get(category, category), size.name_ems)


def legend_rows(categories: Iterable[str], size: Size) -> int:
    """Return how many rows plotly.js makes of the legend, rather too many than too few.

    It is one row, or columns that are all as wide as the widest entry.
    """
    room = size.width - (LEFT + RIGHT) * size.unit + BETWEEN
    widths = [width(shown_name(each, size)) * size.font + KEY + BETWEEN for each in categories]
    if sum(widths) < room:
        return 1
    return math.ceil(len(widths) / max(1, int(room / max(widths))))


def fitting(grid: Grid, dimension: Dimension, size: Size, *, top: float) -> Grid:
    """Sum more categories as `other` where the legend would take a small picture's lower half.

    `top` are the pixels above what is drawn. Mirrors, and packages that are compared, are no parts
    of a whole, so all of them stay.
    """
    if not size.small or dimension is Dimension.OVERALL:
        return grid
    rows = max(1, int((size.height / 2 - top - size.below) / size.row))
    shown = grid
    for keep in range(len(grid.columns) - 2, 0, -1):
        if legend_rows(shown.columns, size) <= rows:
            break
        shown = series.arrange(series.fold(grid, keep), dimension)
    return series.rounded(shown)
