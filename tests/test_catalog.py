"""The shared words, names above all."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats.catalog import ALL_PACKAGES, InvalidNameError, is_normal_name, normalize_name

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Zope.Interface", "zope-interface"),
        ("ruamel_yaml", "ruamel-yaml"),
        ("a--b", "a-b"),
        ("a-_.b", "a-b"),
        ("requests", "requests"),
        ("x" * 128, "x" * 128),
        (ALL_PACKAGES, ALL_PACKAGES),
    ],
)
def test_other_spellings_have_one_normal_form(name: str, normal: str) -> None:
    assert normalize_name(name) == normal


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "-a",
        "a-",
        "a b",
        "a\0",
        "a\n",
        "%",
        "_",
        "ünïcode",
        "ſ",
        "\u212a",
        "x" * 129,
        "a/b",
    ],
)
def test_what_no_package_can_be_called_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError):
        normalize_name(name)


@given(NAMES)
def test_a_normal_form_is_normal_and_its_own(name: str) -> None:
    normal = normalize_name(name)

    assert is_normal_name(normal)
    assert normalize_name(normal) == normal


@given(NAMES, st.sampled_from(["-", "_", ".", "--", "._"]))
def test_separators_and_case_make_no_difference(name: str, separator: str) -> None:
    spelled = re.sub(r"[-_.]+", separator, name).upper()

    assert normalize_name(spelled) == normalize_name(name)


@given(st.text())
def test_any_text_is_normalised_or_refused(text: str) -> None:
    try:
        normal = normalize_name(text)
    except InvalidNameError:
        return
    assert normal == ALL_PACKAGES or is_normal_name(normal)
