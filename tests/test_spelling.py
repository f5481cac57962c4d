"""Names that a slip of the fingers makes of another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import spelling
from pypistats.spelling import Found, Match

NAMES = st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,14}", fullmatch=True)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("reqeusts", "requests"),
        ("djnago", "django"),
        ("nmupy", "numpy"),
        ("numpyy", "numpy"),
        ("flsk", "flask"),
        ("tensorflpw", "tensorflow"),
        ("scikitlearn", "scikit-learn"),
        ("beautifulsoup", "beautifulsoup4"),
        ("dateutil", "python-dateutil"),
        ("python-requests", "requests"),
        ("yaml", "pyyaml"),
    ],
)
def test_a_slip_is_undone(typed: str, meant: str) -> None:
    assert meant in spelling.neighbours(typed)


@given(NAMES, st.data())
def test_neighbours_are_the_names_that_are_one_step_away(name: str, data: st.DataObject) -> None:
    neighbours = spelling.neighbours(name)

    place = data.draw(st.integers(0, len(name) - 1))
    character = data.draw(st.sampled_from("az09-"))
    steps = {
        name[:place] + name[place + 1 :],
        name[:place] + character + name[place:],
        name[:place] + character + name[place + 1 :],
        name[:place] + name[place + 1 : place + 2] + name[place] + name[place + 2 :],
    }
    assert steps - {name, ""} <= set(neighbours)
    assert name not in neighbours
    assert neighbours == sorted(set(neighbours))
    assert len(neighbours) < 80 * (len(name) + 1)


@pytest.mark.parametrize("name", ["", "x" * 31])
def test_no_name_and_a_long_one_have_none(name: str) -> None:
    assert spelling.neighbours(name) == []


def test_each_package_is_found_in_one_way() -> None:
    packages = [("flask", 9), ("flask-login", 5), ("flak", 1)]

    assert spelling.matches("flask", packages) == [
        Found("flask", 9, Match.EXACT),
        Found("flask-login", 5, Match.PREFIX),
        Found("flak", 1, Match.SIMILAR),
    ]
