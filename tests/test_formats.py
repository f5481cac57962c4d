"""Counts, shares and changes as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1K"),
        (1_234, "1.23K"),
        (9_994, "9.99K"),
        (9_996, "10K"),
        (12_345, "12.3K"),
        (99_960, "100K"),
        (999_499, "999K"),
        (999_500, "1M"),
        (1_500_000, "1.5M"),
        (2_700_000_000, "2.7B"),
        (999_999_999_999, "1T"),
        (4_000_000_000_000_000, "4000T"),
    ],
)
def test_a_short_count_has_at_most_three_digits_and_a_unit(value: int, text: str) -> None:
    assert formats.short_count(value) == text


@given(st.integers(0, 10**15))
def test_a_short_count_is_right_to_half_a_percent(value: int) -> None:
    text = formats.short_count(value)
    units = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}

    read = float(text.rstrip("KMBT")) * units.get(text[-1], 1)

    assert abs(read - value) <= value * 0.0051


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.001, "0.1 %"), (1.0, "100.0 %")]
)
def test_a_share_is_a_percentage(share: float, text: str) -> None:
    assert formats.percent(share) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (110, 100, "+10.0 %"),
        (90, 100, "−10.0 %"),
        (100_001, 100_000, "±0 %"),
        (0, 7, "−100.0 %"),
        (999, 100, "+899.0 %"),
        (1_000, 100, "×10"),
        (5, 0, ""),
        (0, 0, ""),
    ],
)
def test_a_change_is_signed_or_a_factor(now: int, before: int, text: str) -> None:
    assert formats.change(now, before) == text
