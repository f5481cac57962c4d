"""PRESENT: the steps of an axis of counts, and what is written at them; pure."""

import math

from pypistats import formats


def round_steps(peak: float, *, whole: bool, most: int) -> list[float]:
    """Return round steps from 0 to `peak` or just above it, about `most` of them."""
    if peak <= 0:
        return [0, 1, 2, 3, 4] if most > 2 else [0, 1]
    rough = max(peak / most, 1 if whole else 0.001)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    rounds = [factor * magnitude for factor in (1, 2, 2.5, 5, 10)]
    step = next(each for each in rounds if each > rough * (1 - 1e-9) and not (whole and each % 1))
    count = max(1, math.ceil(peak / step - 1e-9))
    return [round(number * step, 9) for number in range(count + 1)]


def tick_text(tick: float, *, top: float) -> str:
    """Write a tick: one axis has all its thousands either written out or as K, M and B."""
    if top >= 10_000:
        return formats.short_count(round(tick))
    return f"{tick:,.0f}" if tick >= 1_000 else f"{tick:g}"
