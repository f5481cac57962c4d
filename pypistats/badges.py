"""PRESENT: badges, drawn as SVG here or described for shields.io to draw. No input or output.

Texts may hold anything: what can't be seen is replaced, what is too long is cut, all is escaped.
"""

import functools
import html
import math
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from typing import Any, NamedTuple

import orjson

from pypistats.catalog import Period

MIMETYPE = "image/svg+xml"
LABEL = "downloads"
TOTAL = "total"
PERIODS = (*Period, TOTAL)
"""What a badge can count: the recent periods, and all days there are."""

TEXT_MAX_LENGTH = 64

JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""What can't be seen and is part of a text all the same: emoji and many scripts need these."""

GREY = "lightgrey"
LEFT_GREY = "grey"

SHIELDS_COLORS = {
    "brightgreen": "#44cc11",
    "green": "#97ca00",
    "yellowgreen": "#a4a61d",
    "yellow": "#dfb317",
    "orange": "#fe7d37",
    "red": "#e05d44",
    "blue": "#007ec6",
    "grey": "#555555",
    "lightgrey": "#9f9f9f",
    "success": "#44cc11",
    "important": "#fe7d37",
    "critical": "#e05d44",
    "informational": "#007ec6",
    "inactive": "#9f9f9f",
    "gray": "#555555",
    "lightgray": "#9f9f9f",
}
"""The names that shields.io gives its own colours; they go before CSS's colours of these names."""

_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_FONTS = "Verdana,Geneva,DejaVu Sans,sans-serif"
_BRIGHT = 0.69
"""From this brightness on, 0 to 1, a colour has dark text, as on shields.io."""


class Style(StrEnum):
    """The looks of a badge, by shields.io's names."""

    FLAT = "flat"
    FLAT_SQUARE = "flat-square"
    PLASTIC = "plastic"
    FOR_THE_BADGE = "for-the-badge"
    SOCIAL = "social"


class Badge(NamedTuple):
    """What a badge says and how it looks; `title`, for screen readers, is made of both texts.

    An empty label leaves the left part out. Colours are what `color` returns.
    """

    label: str
    message: str
    color: str = GREY
    left_color: str = LEFT_GREY
    style: Style = Style.FLAT
    title: str | None = None


class UnknownColorError(ValueError):
    """A text that is neither the name of a colour nor a hex code."""


def color(text: str) -> str:
    """Return a colour's name, or its hex code with its `#`. Raises UnknownColorError.

    The names are shields.io's and CSS's, in any case; hex codes have three digits or six.
    """
    name = text.strip().lower()
    digits = name.removeprefix("#")
    if len(digits) in (3, 6) and set(digits) <= set("0123456789abcdef"):
        return f"#{digits}"
    if name in SHIELDS_COLORS or name in _css_colors():
        return name
    raise UnknownColorError(text)


def short_number(number: int) -> str:
    """Write a count as shields.io does, in three digits at most and one decimal below ten: 1.2M.

    A milliard is a B, where shields.io writes the G of physics.
    """
    for unit, letter in _UNITS:
        if number >= unit:
            tenths = (10 * number + unit // 2) // unit
            if tenths < 100 and tenths % 10:
                return f"{tenths / 10}{letter}"
            whole = (number + unit // 2) // unit
            return short_number(1000 * unit) if whole == 1000 else f"{whole}{letter}"
    return str(number)


def downloads_message(downloads: int, period: str, *, exact: bool = False) -> str:
    """Write downloads of a period, in short or exact to the last one; a total has no period."""
    number = f"{downloads:,}" if exact else short_number(downloads)
    return number if period == TOTAL else f"{number}/{period}"


def downloads_color(downloads: int) -> str:
    """Return the colour that shields.io gives so many downloads."""
    steps = ((1_000, "brightgreen"), (100, "green"), (10, "yellowgreen"), (1, "yellow"))
    return next((name for least, name in steps if downloads >= least), "red")


def error_badge(status: int, message: str, *, parameter: str | None, style: str) -> Badge:
    """Return the badge that tells of an error; `message` is its title.

    It keeps the asked style where there is such a one, so that a row of badges stays even.
    """
    words = {404: "not found", 429: "too many requests", 503: "unavailable"}
    text = words.get(status, "error") if parameter is None else f"invalid {parameter}"
    known = next((each for each in Style if each == style), Style.FLAT)
    return Badge(LABEL, text, style=known, title=message)


def endpoint_document(badge: Badge) -> dict[str, Any]:
    """Describe a badge for https://shields.io/endpoint, which takes `schemaVersion` 1."""
    return {
        "schemaVersion": 1,
        "label": badge.label,
        "message": badge.message,
        "color": badge.color,
        "labelColor": badge.left_color,
        "style": badge.style,
    }


def text_width(text: str, *, size: float, bold: bool = False) -> float:
    """Return how wide a text is in pixels; a character that was not measured counts as wide."""
    widths = _text_widths()["bold" if bold else "regular"]
    thousandths = sum(
        widths[character] if character in widths else _unmeasured(character) for character in text
    )
    return thousandths * size / 1000


def svg(badge: Badge) -> str:
    """Draw a badge. Each part is as wide as its text, with room at both sides."""
    label, message = _shown(badge.label), _shown(badge.message)
    title = badge.title or ": ".join(filter(None, (label, message)))
    draw = _draw_social if badge.style is Style.SOCIAL else _draw_parts
    return draw(badge._replace(label=label, message=message, title=_shown(title, longest=300)))


class _Look(NamedTuple):
    """The measures of a style, in pixels; a loud one has spaced capitals and a bold message."""

    height: int
    baseline: int
    size: int = 11
    padding: int = 5
    radius: int = 0
    shadow: bool = False
    loud: bool = False
    shade: tuple[tuple[float, str, float], ...] = ()
    """Stops of the gradient that lies over the colours: offset, colour and opacity."""


class _Text(NamedTuple):
    """A text as it is drawn: `width` is its own, and `stretch` tells whether it must have it."""

    text: str
    width: int
    stretch: bool
    bold: bool


_LOOKS: Mapping[Style, _Look] = {
    Style.FLAT: _Look(20, 14, radius=3, shadow=True, shade=((0, "#bbb", 0.1), (1, "#000", 0.1))),
    Style.FLAT_SQUARE: _Look(20, 14),
    Style.PLASTIC: _Look(
        18, 13, radius=4, shadow=True,
        shade=((0, "#fff", 0.7), (0.1, "#aaa", 0.1), (0.9, "#000", 0.3), (1, "#000", 0.5)),
    ),
    Style.FOR_THE_BADGE: _Look(28, 18, size=10, padding=10, loud=True),
}  # fmt: skip
_SPACING = 1.25
"""Pixels that follow each capital of a loud style."""

_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height}" \
viewBox="0 0 {width:g} {height}" role="img" aria-label="{title}"><title>{title}</title>{inside}\
</svg>"""

# A gradient without stops paints nothing, so all four styles share the template.
_PARTS = """\
<linearGradient id="{style}-shade" x2="0" y2="100%">{stops}</linearGradient>\
<clipPath id="{style}-{width}"><rect width="{width}" height="{height}" rx="{radius}"/></clipPath>\
<g clip-path="url(#{style}-{width})">{blocks}\
<rect width="{width}" height="{height}" fill="url(#{style}-shade)"/></g>\
<g font-family="{fonts}" font-size="{size}" text-anchor="middle" \
text-rendering="geometricPrecision">{texts}</g>"""

_SOCIAL = """\
<linearGradient id="social-shade" x2="0" y2="100%">\
<stop offset="0" stop-color="#fcfcfc"/><stop offset="1" stop-color="#e8e8e8"/></linearGradient>\
<g stroke="#d5d5d5">{boxes}</g>\
<g font-family="{fonts}" font-size="11" text-anchor="middle" fill="#333" \
text-rendering="geometricPrecision">{texts}</g>"""


def _draw_parts(badge: Badge) -> str:
    """Draw the label and the message in blocks of their colours."""
    look = _LOOKS[badge.style]
    parts = [(badge.label, badge.left_color, False)] if badge.label else []
    parts.append((badge.message, badge.color, look.loud))
    blocks, texts, x = "", "", 0
    for written, name, bold in parts:
        text = _loud_text(written, look, bold=bold) if look.loud else _text(written, look.size)
        background = _hex_code(name)
        width = text.width + 2 * look.padding
        blocks += f'<rect x="{x}" width="{width}" height="{look.height}" fill="{background}"/>'
        texts += _on_background(text, look, x + width / 2, background)
        x += width
    stops = "".join(
        f'<stop offset="{offset:g}" stop-color="{paint}" stop-opacity="{opacity:g}"/>'
        for offset, paint, opacity in look.shade
    )
    inside = _PARTS.format(
        style=badge.style, width=x, height=look.height, radius=look.radius, stops=stops,
        blocks=blocks, texts=texts, fonts=_FONTS, size=look.size,
    )  # fmt: skip
    return _framed(badge, x, look.height, inside)


def _draw_social(badge: Badge) -> str:
    """Draw a button and, beside it, a bubble with the message; colours don't apply."""
    height, padding, gap = 20, 6, 7
    boxes, tip, texts, x = "", "", "", 0.5
    if badge.label:
        text = _text(badge.label[:1].upper() + badge.label[1:], 11, bold=True)
        width = text.width + 2 * padding
        boxes = (
            f'<rect x=".5" y=".5" width="{width}" height="19" rx="2" fill="url(#social-shade)"/>'
        )
        texts = _written(text, x + width / 2, 14)
        x += width + gap
        tip = f'<path d="M{x:g} 6.5l-3 3.5 3 3.5" fill="#fafafa"/>'
    text = _text(badge.message, 11, bold=True)
    width = text.width + 2 * padding
    boxes += f'<rect x="{x:g}" y=".5" width="{width}" height="19" rx="2" fill="#fafafa"/>{tip}'
    texts += _written(text, x + width / 2, 14)
    inside = _SOCIAL.format(boxes=boxes, texts=texts, fonts=_FONTS)
    return _framed(badge, x + width + 0.5, height, inside)


def _framed(badge: Badge, width: float, height: int, inside: str) -> str:
    title = html.escape(badge.title or "")
    return _FRAME.format(width=width, height=height, title=title, inside=inside)


def _text(text: str, size: int, *, bold: bool = False) -> _Text:
    width = math.ceil(text_width(text, size=size, bold=bold))
    return _Text(text, width, _measured(text), bold)


def _loud_text(text: str, look: _Look, *, bold: bool) -> _Text:
    plain = _text(text.upper(), look.size, bold=bold)
    return plain._replace(width=plain.width + math.ceil(_SPACING * len(plain.text)))


def _on_background(text: _Text, look: _Look, middle: float, background: str) -> str:
    """Write a text so that it can be read on its background, over its shadow if there is one."""
    bright = _brightness(background) > _BRIGHT
    shadow = f' fill="{"#ccc" if bright else "#010101"}" fill-opacity=".3" aria-hidden="true"'
    below = _written(text, middle, look.baseline + 1, shadow) if look.shadow else ""
    return below + _written(text, middle, look.baseline, f' fill="{"#333" if bright else "#fff"}"')


def _written(text: _Text, middle: float, baseline: int, attributes: str = "") -> str:
    length = f' textLength="{text.width}"' if text.stretch else ""
    weight = ' font-weight="bold"' if text.bold else ""
    return (
        f'<text x="{middle:g}" y="{baseline}"{length}{weight}{attributes}>'
        f"{html.escape(text.text)}</text>"
    )


def _shown(text: str, *, longest: int = TEXT_MAX_LENGTH) -> str:
    """Return a text that a badge can show: printable, on one line, and not too long."""
    line = "".join(
        each if each.isprintable() or each in JOINERS else "\N{REPLACEMENT CHARACTER}"
        for each in " ".join(text.split())
    )
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _hex_code(name: str) -> str:
    """Return a colour's six hex digits after a `#`."""
    if name.startswith("#"):
        return name if len(name) == 7 else "#" + "".join(2 * digit for digit in name[1:])
    return SHIELDS_COLORS.get(name) or _css_colors()[name]


def _brightness(code: str) -> float:
    """Return how bright a colour looks, 0 to 1, by the weights of ITU-R BT.601."""
    red, green, blue = bytes.fromhex(code[1:])
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def _measured(text: str) -> bool:
    return _text_widths()["regular"].keys() >= set(text)


def _unmeasured(character: str) -> int:
    """Guess a width in thousandths: an emoji's for all signs, none for marks and joiners."""
    category = unicodedata.category(character)
    if category in ("Mn", "Me") or character in JOINERS:
        return 0
    return 1_300 if category == "So" else 1_100


@functools.cache
def _text_widths() -> Mapping[str, Mapping[str, int]]:
    """Return thousandths of the font's size by weight and character."""
    widths: Mapping[str, Mapping[str, int]] = _data("text_widths.json")
    return widths


@functools.cache
def _css_colors() -> Mapping[str, str]:
    """Return CSS's named colours, each with its hex code."""
    colors: Mapping[str, str] = _data("css_colors.json")
    return colors


def _data(name: str) -> Any:
    return orjson.loads(files("pypistats").joinpath(name).read_bytes())
