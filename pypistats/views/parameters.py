"""Reading what a request asks for; what can't be raises ParameterError."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from flask import request

from pypistats import badges
from pypistats.catalog import InvalidNameError, normalize_name
from pypistats.errors import ParameterError
from pypistats.queries import PackageNotFoundError

MOST_NAMES = 100
"""How many packages one request may ask for."""

MOST_PAGES = 100

_MAJOR_VERSION = re.compile(r"[0-9]{1,9}|null", re.IGNORECASE)
_MINOR_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}|null", re.IGNORECASE)
SEARCH_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def known_name(name: str) -> str:
    """Return the normal form of a package name; one that can't be is one that is not here."""
    try:
        return normalize_name(name)
    except InvalidNameError:
        raise PackageNotFoundError(name) from None


class Names(NamedTuple):
    """The names of several packages in the order asked, each once and in its normal form.

    `asked` has what can't be a name too, as it was spelled; `packages` has not.
    """

    asked: list[str]
    packages: list[str]


def several_names(asked: str, parameter: str = "package", most: int = MOST_NAMES) -> Names:
    """Return the names that commas part. Raises ParameterError for none or too many."""
    names: dict[str, bool] = {}
    for spelled in filter(None, map(str.strip, asked.split(","))):
        try:
            names[normalize_name(spelled)] = True
        except InvalidNameError:
            names[spelled] = False
    if not 0 < len(names) <= most:
        raise ParameterError(parameter, f"1 to {most} names with commas between")
    return Names([*names], [name for name, is_name in names.items() if is_name])


def choice(parameter: str, allowed: Sequence[str]) -> str | None:
    """Return the query parameter as one of `allowed`, whatever its case; None when absent."""
    value = request.args.get(parameter)
    if value is None:
        return None
    for word in allowed:
        if value.casefold() == word.casefold():
            return word
    raise ParameterError(parameter, f"one of {', '.join(allowed)}")


def pattern(parameter: str, form: re.Pattern[str], accepts: str) -> str | None:
    """Return the query parameter if all of it has the form; None when absent."""
    value = request.args.get(parameter)
    if value is None or form.fullmatch(value):
        return value
    raise ParameterError(parameter, accepts)


def major_version() -> str | None:
    """Return the major version of Python that is asked for, or `null`; None without any."""
    return _lower(pattern("version", _MAJOR_VERSION, "a major version such as 3, or null"))


def minor_version() -> str | None:
    """Return the minor version of Python that is asked for, or `null`; None without any."""
    return _lower(pattern("version", _MINOR_VERSION, "a minor version such as 3.12, or null"))


def _lower(value: str | None) -> str | None:
    return None if value is None else value.lower()


def whole_number(parameter: str, lowest: int, highest: int) -> int | None:
    """Return the query parameter as a number within bounds; None when absent."""
    value = request.args.get(parameter)
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10 and lowest <= int(value) <= highest:
        return int(value)
    raise ParameterError(parameter, f"a whole number from {lowest} to {highest}")


def color(*parameters: str) -> str | None:
    """Return the colour that the first present of the query parameters names; None without any."""
    parameter, value = _first(parameters)
    try:
        return None if value is None else badges.color(value)
    except badges.UnknownColorError:
        raise ParameterError(
            parameter, "a colour of CSS or shields.io by its name, or three or six hex digits"
        ) from None


def label(*parameters: str) -> str | None:
    """Return the first present of the query parameters, a text for a badge; None without any."""
    parameter, value = _first(parameters)
    if value is None or len(value) <= badges.TEXT_MAX_LENGTH:
        return value
    raise ParameterError(parameter, f"up to {badges.TEXT_MAX_LENGTH} characters")


def _first(parameters: Sequence[str]) -> tuple[str, str | None]:
    present = (name for name in parameters if name in request.args)
    name = next(present, parameters[0])
    return name, request.args.get(name)


def search_prefix() -> str:
    """Return the normal form of what is searched for in `q`; empty when it is absent or blank."""
    asked = request.args.get("q", "").strip()
    if asked and not SEARCH_TEXT.fullmatch(asked):
        raise ParameterError(
            "q", "the beginning of a package name: up to 128 letters, digits, '-', '_' and '.'"
        )
    return re.sub(r"[-_.]+", "-", asked).lower()
