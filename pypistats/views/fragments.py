"""PRESENT: parts of a package's page that differ in nothing but its name, rendered once a process.

Most of a page is such parts: rendered each time, they would take most of its time.
"""

from collections.abc import Hashable, Mapping
from typing import Any

from flask import current_app, render_template, request
from markupsafe import Markup

from pypistats.catalog import ALL_PACKAGES

NAME = "PACKAGE-NAME"
"""Stands for the name, and like each name is the same in addresses and in HTML. None has capitals,
so that nothing else in a page is taken for it."""

MOST = 500
"""How many are kept. There are more only where the site has no fixed address, which is in them."""


def fragment(package: str, fixed: Mapping[str, Any], template: str, **values: Hashable) -> Markup:
    """Return a part of the page of `package`, which the template knows as `package`.

    `fixed` are words that the template takes, always the same for it.
    """
    kept: dict[Hashable, str] = current_app.extensions.setdefault("fragments", {})
    is_all = package == ALL_PACKAGES
    key = template, is_all, request.url_root, *values.items()
    text = kept.get(key)
    if text is None:
        if len(kept) >= MOST:
            kept.clear()
        text = kept[key] = render_template(template, package=NAME, is_all=is_all, **fixed, **values)
    return Markup(text.replace(NAME, package))  # noqa: S704
