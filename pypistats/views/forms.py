"""PRESENT: pages that are the same but for some places, rendered once a process and then filled in.

Most of a package's page is the same for all packages: rendered each time, it would take most of
the page's time.
"""

import re
from collections.abc import Callable, Hashable, Mapping

from flask import current_app
from markupsafe import Markup, escape

_BLANK = re.compile("BLANK~([a-z_]+)~")

MOST = 50
"""How many are kept. There are more only where the site has no fixed address, which is in them."""


def blank(name: str) -> Markup:
    """Return what a template has in the place of a value; it is the same in addresses and HTML.

    No host can be it, since a page's links may have the host that the request names.
    """
    return Markup(f"BLANK~{name}~")  # noqa: S704


class Form:
    """A rendered template with `blank` places."""

    def __init__(self, text: str) -> None:
        parts = _BLANK.split(text)
        self._names = parts[1::2]
        self._parts = [part.encode() for part in parts]

    def filled(self, values: Mapping[str, str]) -> bytes:
        """Return the text with a value in each place; what is no markup is escaped."""
        written = {name: escape(value).encode() for name, value in values.items()}
        parts = self._parts.copy()
        parts[1::2] = [written[name] for name in self._names]
        return b"".join(parts)


def kept_form(of: object, key: Hashable, make: Callable[[], str]) -> Form:
    """Return the form under `key`, by `make` where there is none.

    `of` is what all forms depend on: with another one they are all made anew.
    """
    known, forms = current_app.extensions.get("forms", (None, {}))
    if known is not of:
        _, forms = current_app.extensions["forms"] = of, {}
    form: Form | None = forms.get(key)
    if form is None:
        if len(forms) >= MOST:
            forms.clear()
        form = forms[key] = Form(make())
    return form
