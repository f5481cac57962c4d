"""STORE: every write of what PyPI tells. The caller commits."""

import contextlib
import dataclasses
from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import text

from pypistats import queries, store
from pypistats.catalog import PackageInfo
from pypistats.extensions import db

NOTHING = PackageInfo("", "", "", "", "", None, (), {}, (), ())

_DOCUMENTS = ("links", "releases", "required", "optional")
_COLUMNS = ("found", *PackageInfo._fields)


class TooFewNamesError(Exception):
    """A list of names that is far shorter than the last one was, as if it had been cut off."""


def save_info(package: str, info: PackageInfo | None) -> None:
    """Keep what PyPI tells of a package; None is that it knows no such package.

    Only what differs from what is stored gives the package its next revision.
    """
    values = (info or NOTHING)._asdict() | {"package": package, "found": info is not None}
    for column in _DOCUMENTS:
        values[column] = orjson.dumps(values[column], default=list).decode()
    before = queries.package_info(package)
    _execute(
        f"""
        insert into package_info (package, {", ".join(_COLUMNS)}, checked_at)
        values (:package, {", ".join(f":{column}" for column in _COLUMNS)}, clock_timestamp())
        on conflict (package) do update set checked_at = excluded.checked_at,
            {", ".join(f"{column} = excluded.{column}" for column in _COLUMNS)}
        """,
        **values,
    )
    if before != info:
        store.bump_revision([package])


def replace_names(names: Iterable[str]) -> int:
    """Put `names` in place of the known ones; return how many there are.

    Raises TooFewNamesError for less than half of what there was: so many packages don't end in a
    day. Only the differences are written.
    """
    _execute('create temp table given (name text collate "C") on commit drop')
    with contextlib.closing(db.session.connection().connection.cursor()) as cursor:
        cursor.copy_expert("copy given from stdin", _Lines(iter(names)), size=1 << 16)
    _execute("analyze given")
    given = int(_execute("select count(distinct name) from given").scalar())
    known = int(_execute("select count(*) from known_names").scalar())
    if not given or given < known / 2:
        raise TooFewNamesError(f"{given:,} names, after {known:,}")
    _execute(
        "delete from known_names k where not exists (select from given g where g.name = k.name)"
    )
    _execute("insert into known_names select distinct name from given on conflict do nothing")
    return given


def _execute(statement: str, **values: Any) -> Any:
    return db.session.execute(text(statement), values)


@dataclasses.dataclass
class _Lines:
    """Names as lines of COPY's text format, read in pieces, as a file would be."""

    names: Iterable[str]

    def read(self, size: int) -> str:
        """Return about `size` characters."""
        lines, length = [], 0
        for name in self.names:
            lines.append(f"{name}\n")
            length += len(lines[-1])
            if length >= size:
                break
        return "".join(lines)
