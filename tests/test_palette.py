"""The colours of charts, as readers with and without colour blindness see them."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import palette
from pypistats.palette import COLORS, Theme, colors_of

Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]

SEEN = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red cones": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green cones": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue cones": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""How linear RGB is seen: Machado, Oliveira and Fernandes 2009, severity 1."""

LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
"""From linear RGB to Ottosson's Oklab, whose distances are as they are seen; 0.02 is just seen."""


def times(matrix: Matrix, color: Triple) -> Triple:
    red, green, blue = (sum(a * b for a, b in zip(row, color, strict=True)) for row in matrix)
    return red, green, blue


def linear(color: str) -> Triple:
    def channel(at: int) -> float:
        value = int(color[at : at + 2], 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return channel(1), channel(3), channel(5)


def oklab(color: str, seen: Matrix) -> Triple:
    lms = times(LMS, tuple(min(1, max(0, each)) for each in times(seen, linear(color))))
    return times(OKLAB, tuple(math.cbrt(each) for each in lms))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours by WCAG, from 1 to 21."""
    lights = sorted(
        0.2126 * red + 0.7152 * green + 0.0722 * blue
        for red, green, blue in (linear(one), linear(other))
    )
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize("theme", Theme)
@pytest.mark.parametrize("reader", SEEN)
def test_any_two_categories_look_different_to(reader: str, theme: Theme) -> None:
    colors = COLORS[theme]
    seen = {color: oklab(color, SEEN[reader]) for color in (*colors.categories, colors.null)}

    for one, other in combinations(seen, 2):
        assert math.dist(seen[one], seen[other]) > 0.069, (one, other)


@pytest.mark.parametrize("theme", Theme)
def test_the_two_greys_look_different(theme: Theme) -> None:
    colors = COLORS[theme]
    greys = [oklab(color, SEEN["all colours"]) for color in (colors.other, colors.null)]

    assert math.dist(*greys) > 0.1


@pytest.mark.parametrize("theme", Theme)
def test_everything_stands_out_from_the_paper(theme: Theme) -> None:
    colors = COLORS[theme]

    assert min(contrast(color, colors.paper) for color in colors.categories) >= 3
    assert contrast(colors.null, colors.paper) >= 3
    for text in (colors.ink, colors.quiet):
        assert contrast(text, colors.paper) >= 4.5


NAMES = st.text(max_size=5) | st.sampled_from(
    ["pip", "uv", "3.9", "3.19", "3.14", "2.7", "Linux", "null", "other", "with_mirrors"]
)


@given(st.lists(NAMES, max_size=12, unique=True), st.sampled_from(Theme))
def test_up_to_ten_categories_have_ten_colours(names: list[str], theme: Theme) -> None:
    named = [name for name in names if name not in ("null", "other")][:10]
    colors = colors_of([*named, "null", "other"], theme)

    assert len(set(colors.values())) == len(named) + 2
    assert (colors["other"], colors["null"]) == (COLORS[theme].other, COLORS[theme].null)


@given(st.lists(NAMES, max_size=12, unique=True), st.randoms())
def test_a_colour_does_not_depend_on_the_order(names: list[str], random: object) -> None:
    shuffled = random.sample(names, len(names))

    assert colors_of(names, Theme.LIGHT) == colors_of(shuffled, Theme.LIGHT)


def test_a_well_known_category_has_the_same_colour_in_every_chart() -> None:
    alone = colors_of(["3.12"], Theme.LIGHT)["3.12"]
    versions = [f"3.{minor}" for minor in range(6, 16)]

    assert colors_of(versions, Theme.LIGHT)["3.12"] == alone
    assert len(set(colors_of(versions, Theme.LIGHT).values())) == 10
    assert colors_of(["a", "b", "c", "d", "3.12"], Theme.LIGHT)["3.12"] == alone


def test_more_categories_than_colours_share_them() -> None:
    names = [f"name {number}" for number in range(14)]

    assert len(set(colors_of(names, Theme.DARK).values())) == 10


def test_a_colour_can_be_seen_through() -> None:
    assert palette.translucent("#2964de", 0.12) == "rgba(41,100,222,0.12)"
