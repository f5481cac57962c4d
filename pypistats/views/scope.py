"""Which packages the sum over all is of: that is said wherever it shows."""

from collections.abc import Sequence

from flask import current_app

from pypistats.answers import MOMENT
from pypistats.catalog import ALL_PACKAGES


def is_tracked() -> bool:
    """Tell whether the site has only the packages that were asked for."""
    return bool(current_app.config["INGEST_SCOPE"] == "tracked")


def all_packages() -> str:
    """Return what the sum is of, in words."""
    return "all tracked packages" if is_tracked() else "all packages"


def scope(package: str) -> dict[str, str]:
    """Return what a document has to say of its package's sum: nothing, unless it is not of all."""
    return {"scope": "tracked"} if package == ALL_PACKAGES and is_tracked() else {}


def until_known(unknown: Sequence[str]) -> dict[str, str]:
    """Return the headers of an answer that lacks these packages, which any visitor may bring."""
    return {"Cache-Control": MOMENT} if unknown and is_tracked() else {}
