"""Which host a request is for. Where SITE_URL is unset it stands in the links that leave the site.

werkzeug's own reading empties a name with an underscore, as networks of containers have, and writes
a name in Punycode out, which makes no URI of it and fails for some that are registered.
"""

import re
from collections.abc import Mapping
from typing import Any

LONGEST = 253 + len(":65535")
"""Characters of a host: DNS has no longer names."""

_HOST = re.compile(
    r"""
    ((?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?  # a name, or an address of IPv4
    |\[[a-f0-9]*:[a-f0-9.:]+\])
    (?::[0-9]{1,5})?
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)

_LAST_CONTROL = "\x9f"
"""The last character of Latin 1 that no name has, and after it those for which Punycode is."""


def named_host(environ: Mapping[str, Any]) -> str | None:
    """Return the host that a request names, with a port that isn't its scheme's own.

    One that names none, as HTTP/1.0 allows, is for the server. None stands for what is no host.
    """
    named: str = environ.get("HTTP_HOST") or ""
    if not named:
        return server_host(environ)
    match = _HOST.fullmatch(named)
    if match is None or len(named) > LONGEST or not _is_name(match[1]):
        return None
    return _without_own_port(named, environ)


def server_host(environ: Mapping[str, Any]) -> str:
    """Return the address that the server listens on."""
    name, port = environ["SERVER_NAME"], environ["SERVER_PORT"]
    return _without_own_port(f"[{name}]:{port}" if ":" in name else f"{name}:{port}", environ)


def _without_own_port(host: str, environ: Mapping[str, Any]) -> str:
    return host.removesuffix(":443" if environ["wsgi.url_scheme"] == "https" else ":80")


def _is_name(name: str) -> bool:
    """Tell whether the labels in Punycode are, each for something that ASCII lacks."""
    labels = name.lower().split(".") if "xn--" in name.lower() else []
    return all(_is_punycode(label[4:]) for label in labels if label.startswith("xn--"))


def _is_punycode(text: str) -> bool:
    try:
        return max(text.encode().decode("punycode"), default="") > _LAST_CONTROL
    except UnicodeError:
        return False
