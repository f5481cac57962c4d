"""PRESENT: a small line of daily values as the paths of an SVG; pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple


class Sparkline(NamedTuple):
    """Paths in a box of `width` by `height`: the line, and the area below it."""

    width: int
    height: int
    line: str
    area: str


def sparkline(values: Sequence[float | None], *, width: int, height: int) -> Sparkline:
    """Draw `values` from left to right, zero at the foot; the line breaks where there is None."""
    highest = max((value for value in values if value is not None), default=0) or 1
    step = width / max(len(values) - 1, 1)
    points = [
        None
        if value is None
        else (round(place * step, 1), round(height * (1 - value / highest), 1))
        for place, value in enumerate(values)
    ]
    runs = list(_runs(points))
    return Sparkline(
        width,
        height,
        "".join(f"M{_joined(run)}" for run in runs),
        "".join(f"M{run[0][0]:g},{height}L{_joined(run)}L{run[-1][0]:g},{height}Z" for run in runs),
    )


def _runs(points: Sequence[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    """Yield the points that follow one another without a gap; a lone one becomes a short dash."""
    for there, run in groupby(points, key=lambda point: point is not None):
        if there:
            found = [point for point in run if point is not None]
            yield found if len(found) > 1 else [found[0], (found[0][0] + 1, found[0][1])]


def _joined(run: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:g},{y:g}" for x, y in run)
