"""PRESENT: counts, shares and changes as the text that people read. Pure, and one way for all."""

_UNITS = ((1_000_000_000_000, "T"), (1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K"))


def count(value: int) -> str:
    """Write a count in full, with thousands separators."""
    return f"{value:,}"


def short_count(value: int) -> str:
    """Write a count in at most three digits and a unit: 999, 1.2K, 45.6K, 789K, 1.23M, 4.5B.

    Trailing zeros go, and what would round up to 1,000 of a unit is 1 of the next.
    """
    for size, unit in _UNITS:
        if value >= size - size // 2_000:
            scaled = value / size
            digits = 0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2
            text = f"{scaled:.{digits}f}"
            return f"{text.rstrip('0').rstrip('.') if digits else text}{unit}"
    return str(value)


def percent(share: float) -> str:
    """Write a share, 0 to 1, in percent; what would round to nothing is less than 0.1 %."""
    return "< 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def change(now: int, before: float) -> str:
    """Write how much more or less `now` is than `before`, signed; empty where there was nothing.

    From ten times on it is a factor, since nobody reads +4,321 %.
    """
    if before <= 0:
        return ""
    ratio = now / before
    if ratio >= 10:
        return f"×{short_count(round(ratio))}"
    rounded = round((ratio - 1) * 100, 1)
    if not rounded:
        return "±0 %"
    sign = "+" if rounded > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(rounded):.1f} %"
