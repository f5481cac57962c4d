"""Badges as text: numbers, colours, documents and drawings."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypistats import badges
from pypistats.badges import Badge, Style

SVG = "{http://www.w3.org/2000/svg}"

TEXTS = st.text(st.characters(codec=None), max_size=80) | st.text(
    "<>&\"'\0]] wW\u0301🎉\u200c\u200d", max_size=80
)
BADGES = st.builds(
    Badge,
    TEXTS,
    TEXTS,
    st.sampled_from(["red", "gold", "#abc", "#0a0B0c", "rebeccapurple"]).map(badges.color),
    st.just("grey"),
    st.sampled_from(Style),
    st.none() | TEXTS,
)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (1_049, "1k"),
        (1_050, "1.1k"),
        (9_949, "9.9k"),
        (9_950, "10k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (1_234_567, "1.2M"),
        (250_000_000, "250M"),
        (2_700_000_000, "2.7B"),
        (1_500_000_000_000, "1.5T"),
        (12_345_000_000_000_000, "12345T"),
    ],
)
def test_a_number_is_written_in_short(number: int, written: str) -> None:
    assert badges.short_number(number) == written


@given(st.integers(min_value=1, max_value=999 * 10**12))
def test_a_short_number_is_within_its_last_digit(number: int) -> None:
    written = badges.short_number(number)
    unit = {"k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}.get(written[-1], 1)
    shown = float(written.rstrip("kMBT")) * unit

    assert len(written) <= 4
    assert abs(shown - number) <= (0.05 if shown < 10 * unit else 0.5) * unit * 1.000001


@pytest.mark.parametrize(
    ("period", "exact", "written"),
    [
        ("day", False, "1.2M/day"),
        ("month", False, "1.2M/month"),
        ("total", False, "1.2M"),
        ("week", True, "1,234,567/week"),
    ],
)
def test_downloads_are_told_with_their_period(period: str, exact: bool, written: str) -> None:
    assert badges.downloads_message(1_234_567, period, exact=exact) == written


@pytest.mark.parametrize(
    ("downloads", "color"),
    [(0, "red"), (9, "yellow"), (99, "yellowgreen"), (999, "green"), (1_000, "brightgreen")],
)
def test_the_color_tells_how_many_downloads_there_are(downloads: int, color: str) -> None:
    assert badges.downloads_color(downloads) == color


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("BrightGreen", "brightgreen"),
        ("rebeccapurple", "rebeccapurple"),
        ("ABC", "#abc"),
        ("#00ff7F", "#00ff7f"),
        (" fff ", "#fff"),
    ],
)
def test_a_color_is_a_name_or_a_hex_code(text: str, color: str) -> None:
    assert badges.color(text) == color


@pytest.mark.parametrize("text", ["", "#", "12345", "ggg", "url(#a)", 'red"', "rgb(1,2,3)", "٣٣٣"])
def test_anything_else_is_no_color(text: str) -> None:
    with pytest.raises(badges.UnknownColorError):
        badges.color(text)


def test_a_color_of_shields_goes_before_that_of_css() -> None:
    assert 'fill="#97ca00"' in badges.svg(Badge("", "5", "green"))


def test_the_endpoint_document_is_what_shields_takes() -> None:
    badge = Badge("downloads", "1.2M/month", "brightgreen", "#abc", Style.SOCIAL)

    assert badges.endpoint_document(badge) == {
        "schemaVersion": 1,
        "label": "downloads",
        "message": "1.2M/month",
        "color": "brightgreen",
        "labelColor": "#abc",
        "style": "social",
    }


def test_a_flat_badge_is_drawn_from_its_texts() -> None:
    assert badges.svg(Badge("a & b", "1k", "blue")) == (
        '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="20" viewBox="0 0 64 20"'
        ' role="img" aria-label="a &amp; b: 1k"><title>a &amp; b: 1k</title>'
        '<linearGradient id="flat-shade" x2="0" y2="100%">'
        '<stop offset="0" stop-color="#bbb" stop-opacity="0.1"/>'
        '<stop offset="1" stop-color="#000" stop-opacity="0.1"/></linearGradient>'
        '<clipPath id="flat-64"><rect width="64" height="20" rx="3"/></clipPath>'
        '<g clip-path="url(#flat-64)"><rect x="0" width="40" height="20" fill="#555555"/>'
        '<rect x="40" width="24" height="20" fill="#007ec6"/>'
        '<rect width="64" height="20" fill="url(#flat-shade)"/></g>'
        '<g font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"'
        ' text-anchor="middle" text-rendering="geometricPrecision">'
        '<text x="20" y="15" textLength="30" fill="#010101" fill-opacity=".3"'
        ' aria-hidden="true">a &amp; b</text>'
        '<text x="20" y="14" textLength="30" fill="#fff">a &amp; b</text>'
        '<text x="52" y="15" textLength="14" fill="#010101" fill-opacity=".3"'
        ' aria-hidden="true">1k</text>'
        '<text x="52" y="14" textLength="14" fill="#fff">1k</text></g></svg>'
    )


@pytest.mark.parametrize("style", Style)
def test_an_empty_label_leaves_its_part_out(style: Style) -> None:
    root = ElementTree.fromstring(badges.svg(Badge("", "5", style=style)))

    assert root.get("aria-label") == "5"
    assert {text.text for text in root.iter(f"{SVG}text")} == {"5"}


def test_text_on_a_bright_color_is_dark() -> None:
    assert 'fill="#333">5<' in badges.svg(Badge("", "5", "gold"))
    assert 'fill="#fff">5<' in badges.svg(Badge("", "5", "navy"))


def test_what_is_too_long_is_cut() -> None:
    root = ElementTree.fromstring(badges.svg(Badge("x" * 1_000, "y" * 1_000, title="z" * 1_000)))

    assert [len(text.text or "") for text in root.iter(f"{SVG}text")] == [64] * 4
    assert len(root.get("aria-label") or "") == 300


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("text", ["👨\u200d👩\u200d👧", "می\u200cخواهم"])
def test_joiners_stay_and_take_no_room(text: str, style: Style) -> None:
    root = ElementTree.fromstring(badges.svg(Badge(text, text, style=style)))

    assert {each.text for each in root.iter(f"{SVG}text")} == {text}
    assert root.get("aria-label") == f"{text}: {text}"
    alone = text.replace("\u200d", "").replace("\u200c", "")
    assert badges.text_width(text, size=11) == badges.text_width(alone, size=11)


@pytest.mark.parametrize("control", "\0\x1b\x7f\u200b\u200e\u200f\u202e\u2066\u2069\ufeff\ud800")
def test_any_other_control_is_replaced(control: str) -> None:
    root = ElementTree.fromstring(badges.svg(Badge(f"a{control}b", "5")))

    assert root.get("aria-label") == "a\ufffdb: 5"


@given(BADGES)
def test_a_badge_is_well_formed_and_says_what_it_was_given(badge: Badge) -> None:
    root = ElementTree.fromstring(badges.svg(badge))

    title = root.findtext(f"{SVG}title")
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "linearGradient", "stop", "clipPath", "rect", "path", "g", "text",
    }  # fmt: skip
    assert root.get("role") == "img"
    assert root.get("aria-label") == title
    if badge.title is None and badge.message.isascii() and badge.message.isalnum():
        assert badge.message[:60] in (title or "")


@given(BADGES)
def test_every_text_lies_inside_its_badge(badge: Badge) -> None:
    root = ElementTree.fromstring(badges.svg(badge))

    width, size = float(root.get("width") or 0), 10 if badge.style == "for-the-badge" else 11
    right = 0.0
    for text in root.iter(f"{SVG}text"):
        if text.get("aria-hidden") is None:
            bold = text.get("font-weight") == "bold"
            needed = badges.text_width(text.text or "", size=size, bold=bold)
            middle, length = float(text.get("x") or 0), float(text.get("textLength") or needed)
            assert needed <= length
            assert middle - length / 2 >= right + 4
            right = middle + length / 2
    assert right + 4 <= width


@given(TEXTS)
def test_only_colors_become_part_of_the_drawing(text: str) -> None:
    try:
        code = badges.color(text)
    except badges.UnknownColorError:
        return
    assert code.removeprefix("#").isalnum()
    assert code.isascii()
