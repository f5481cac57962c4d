"""The shared words: dimensions, categories, periods, names and the row that flows through.

Every layer may import this module, and it imports none of them.
"""

import datetime as dt
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from packaging.utils import InvalidName, canonicalize_name

ALL_PACKAGES = "__all__"
"""The name of the sum over all packages; PyPI can't have a package of that name."""

NAME_MAX_LENGTH = 128

MIRRORS = ("bandersnatch", "z3c.pypimirror", "Artifactory", "devpi")
"""Installers that copy for others; the list is pypistats.org's, so that numbers compare."""

SYSTEMS = ("Windows", "Linux", "Darwin")
"""The systems with a category of their own; any other is `OTHER`, none is `NULL`."""

NULL = "null"
"""The category of downloads whose user agent did not tell."""

OTHER = "other"
"""The category that holds the tail beyond the kept categories, and the systems not in `SYSTEMS`."""

WITH_MIRRORS = "with_mirrors"
WITHOUT_MIRRORS = "without_mirrors"

LABELS = {
    WITH_MIRRORS: "with mirrors",
    WITHOUT_MIRRORS: "without mirrors",
    NULL: "unknown (null)",
    "Darwin": "Darwin (macOS)",
}
"""What people read in place of a category's name."""

VERSIONS_KEPT = 20
"""Releases kept per package and day; the rest are summed as `OTHER`."""

CATEGORIES_KEPT = 100
"""Categories kept in the other maps: user agents are free text, so their number has no bound."""

_NORMAL_NAME = re.compile(r"[a-z0-9](-?[a-z0-9])*")


class Dimension(StrEnum):
    """A way of splitting downloads."""

    OVERALL = "overall"
    PYTHON_MAJOR = "python_major"
    PYTHON_MINOR = "python_minor"
    SYSTEM = "system"
    INSTALLER = "installer"
    VERSION = "version"


class Period(StrEnum):
    """A stretch of days that ends with the last loaded one."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def days(self) -> int:
        """How many days the period has."""
        return {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30}[self]


class DayState(StrEnum):
    """What the ledger says of a day.

    A suspect day has far more or fewer downloads than usual, and may still be corrected. A final
    one is not fetched again.
    """

    MISSING = "missing"
    LOADED = "loaded"
    SUSPECT = "suspect"
    FINAL = "final"


class Ranking(StrEnum):
    """A list of packages by their downloads; those of a dimension are one for each category."""

    ALL = "all"
    PYTHON_MINOR = "python_minor"
    SYSTEM = "system"
    INSTALLER = "installer"
    GROWING = "growing"
    NEW = "new"


RANKINGS = "__rankings__"
"""What stands for all lists where revisions are told by package."""

RANKED_DIMENSIONS = (Dimension.PYTHON_MINOR, Dimension.SYSTEM, Dimension.INSTALLER)

Counts = Mapping[str, int]
"""Downloads by category."""


class PackageDay(NamedTuple):
    """One package's downloads on one UTC day.

    `installer` counts all downloads, so it sums to `with_mirrors`; the other three maps count
    what is neither a mirror's nor of an unknown installer, so each sums to `without_mirrors`.
    """

    day: dt.date
    package: str
    with_mirrors: int
    without_mirrors: int
    python_minor: Counts
    system: Counts
    installer: Counts
    version: Counts


class LedgerDay(NamedTuple):
    """A day in the ledger.

    Those that are not loaded have no source, packages, downloads or times of load and change.
    `attempts` are the tries since the last one that went well, `tried_at` is the newest try or
    look, `changed_at` is when the downloads were last another number, and `bytes_billed` is what
    all fetches of the day were billed.
    """

    day: dt.date
    state: DayState
    source: str | None = None
    packages: int | None = None
    downloads: int | None = None
    dry_run_bytes: int | None = None
    bytes_billed: int | None = None
    job_id: str | None = None
    loaded_at: dt.datetime | None = None
    changed_at: dt.datetime | None = None
    tried_at: dt.datetime | None = None
    attempts: int = 0
    note: str | None = None


class Link(NamedTuple):
    """An address on the web that a project gives, with the words it gives for it."""

    label: str
    url: str


class PackageInfo(NamedTuple):
    """What PyPI tells of a package; an empty text where it tells nothing.

    `releases` has the day of each release, the newest first, and `released` that of the latest
    version. `required` and `optional` are the normal names of what the latest version depends on.
    """

    summary: str
    author: str
    license: str
    requires_python: str
    latest_version: str
    released: dt.date | None
    links: tuple[Link, ...]
    releases: Mapping[str, dt.date]
    required: tuple[str, ...]
    optional: tuple[str, ...]


class InvalidNameError(ValueError):
    """A text that no package on PyPI can have as its name."""


def normalize_name(name: str) -> str:
    """Return the normal form of a package name, by PEP 503; `ALL_PACKAGES` is its own.

    Raises InvalidNameError for what no package can be called.
    """
    if name == ALL_PACKAGES or is_normal_name(name):
        return name
    try:
        normal = canonicalize_name(name, validate=True)
    except InvalidName:
        raise InvalidNameError(name) from None
    if not is_normal_name(normal):
        raise InvalidNameError(name)
    return normal


def is_normal_name(name: str) -> bool:
    """Tell whether `name` is the normal form of a name that PyPI can have and the site keeps."""
    return len(name) <= NAME_MAX_LENGTH and _NORMAL_NAME.fullmatch(name) is not None
