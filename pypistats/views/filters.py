"""How the templates write counts, shares, days and addresses: each kind of value in one way."""

import datetime as dt
import functools
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from flask import Flask, request, url_for
from markupsafe import Markup, escape

from pypistats import formats
from pypistats.catalog import LABELS
from pypistats.category_table import CategoryRow
from pypistats.series import PeriodBefore
from pypistats.views.forms import blank

SHORT_FROM = 10_000
"""Counts below are written in full even where they may be short."""


ADDRESSES_KEPT = 2_000
_NAME = "PACKAGE-NAME"


def register_filters(app: Flask) -> None:
    """Give the app's templates their filters, `url_for` and `blank`."""
    for each in (number, short, short_text, percent, change, compared, day, code, breakable):
        app.add_template_filter(each, each.__name__)
    app.add_template_global(address, "url_for")
    app.add_template_global(blank)


def address(endpoint: str, *, name: str | None = None, **values: str | int | None) -> str:
    """Return the address of a page or a file, as Flask's `url_for`, which takes ten times as long.

    A page has some thirty that are on all pages, and up to a hundred that differ in the `name` of a
    package only.
    """
    if name is None:
        return _address(request.script_root, endpoint, tuple(values.items()))
    like = (("name", _NAME), *values.items())
    return _address(request.script_root, endpoint, like).replace(_NAME, quote(name))


@functools.lru_cache(maxsize=ADDRESSES_KEPT)
def _address(_root: str, endpoint: str, values: tuple[tuple[str, Any], ...]) -> str:
    return url_for(endpoint, **dict(values))


def number(value: int) -> Markup:
    """Write a count in full, whose digits need no escaping."""
    return Markup(_number(value))  # noqa: S704


def _number(value: int) -> str:
    return f'<data value="{value:d}">{formats.count(value)}</data>'


def category_rows(rows: Iterable[CategoryRow]) -> Markup:
    """Write the rows of a table of categories.

    A page has a hundred, which take a template four times as long.
    """
    return Markup("\n".join(map(_category_row, rows)))  # noqa: S704


def _category_row(row: CategoryRow) -> str:
    category, *counts, share = row
    cells = "".join([f'<td class="number">{_number(count)}</td>' for count in counts])
    return (
        f'<tr><th scope="row">{escape(cut(LABELS.get(category, category), 60))}</th>{cells}'
        f'<td class="number" data-value="{share}">{escape(formats.percent(share))}</td></tr>'
    )


def cut(text: str, length: int) -> str:
    """Return a text of at most `length` characters, the last one a mark where some were cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def short(value: int) -> Markup:
    """Write a count in few digits, and in full in a title; a small one is in full anyway."""
    if value < SHORT_FROM:
        return number(value)
    return Markup('<data value="{}" title="{}">{}</data>').format(
        value, formats.count(value), formats.short_count(value)
    )


def percent(share: float) -> str:
    """Write a share, 0 to 1, in percent."""
    return formats.percent(share)


def short_text(value: int) -> str:
    """Write a count in few digits where only text can stand."""
    return formats.short_count(value)


def change(now: int, before: int | None) -> Markup:
    """Write how `now` compares with `before`, coloured by its direction; empty without either."""
    text = "" if before is None else formats.change(now, before)
    return _colored(text, f"{formats.count(before or 0)} before")


def compared(now: int, before: PeriodBefore | None) -> Markup:
    """Write how a recent period compares with the one before it; empty where it can't be."""
    if before is None:
        return Markup("")
    told = f"{formats.count(before.downloads)} before"
    if not before.is_whole:
        whole = before.period.days
        told += f", in {before.days} of {whole} days; now in {before.recent_days} of {whole}"
    return _colored(formats.change(now, before.comparable), told)


def _colored(change: str, title: str) -> Markup:
    """Write numbers, which need no escaping."""
    if not change:
        return Markup("")
    direction = {"+": "up", "×": "up", "\N{MINUS SIGN}": "down"}.get(change[0], "quiet")
    return Markup(f'<span class="{direction}" title="{title}">{change}</span>')  # noqa: S704


def day(value: dt.date | str) -> Markup:
    """Write a day as ISO has it."""
    return Markup('<time datetime="{0}">{0}</time>').format(str(value))


def breakable(path: str) -> Markup:
    """Write a path that a narrow line breaks after its slashes and underscores."""
    return Markup("<wbr>").join(re.split(r"(?<=.[/_])", path))


def code(text: str) -> Markup:
    """Write what stands between backticks as code, and the rest as it is."""
    parts = re.split(r"`([^`]*)`", text)
    return Markup().join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )
