"""STORE: puts a day's rows beside the tables, from where SQL takes them in."""

import contextlib
from collections.abc import Iterable

import orjson
import psycopg2
from sqlalchemy import text

from pypistats.catalog import Counts, PackageDay
from pypistats.extensions import db

_MAPS = ("python_minor", "system", "installer", "version")


def stage_rows(rows: Iterable[PackageDay]) -> None:
    """Copy `rows` into `stage`, a table of this transaction, without holding them in memory."""
    db.session.execute(
        text(
            'create temp table stage (package text collate "C", with_mirrors bigint,'
            " without_mirrors bigint, python_minor json, system json, installer json, version json,"
            " day date)"
            " on commit drop"
        )
    )
    lines = _Lines(rows)
    with contextlib.closing(db.session.connection().connection.cursor()) as cursor:
        try:
            cursor.copy_expert("copy stage from stdin", lines, size=1 << 16)
        except psycopg2.Error:
            if lines.error is not None:
                raise lines.error from None
            raise
    db.session.execute(text("analyze stage"))


class _Lines:
    """The rows as lines of COPY's text format, read in pieces, as a file would be."""

    def __init__(self, rows: Iterable[PackageDay]) -> None:
        self.error: BaseException | None = None
        self._rows = iter(rows)

    def read(self, size: int) -> str:
        """Return about `size` characters; an error of the rows is kept for whoever copies."""
        lines: list[str] = []
        length = 0
        try:
            for row in self._rows:
                line = _line(row)
                lines.append(line)
                length += len(line)
                if length >= size:
                    break
        except BaseException as error:
            self.error = error
            raise
        return "".join(lines)


def _line(row: PackageDay) -> str:
    maps = "\t".join(_json(getattr(row, column)) for column in _MAPS)
    return f"{row.package}\t{row.with_mirrors}\t{row.without_mirrors}\t{maps}\t{row.day}\n"


def _json(counts: Counts) -> str:
    """Write a map for COPY, which wants JSON's backslashes doubled.

    PostgreSQL can't take NUL apart from JSON, and user agents are free text: it is replaced.
    """
    written = orjson.dumps(counts).decode()
    if "\\" not in written:
        return written
    if "\\u0000" in written:
        cleaned: dict[str, int] = {}
        for category, downloads in counts.items():
            clean = category.replace("\0", "\N{REPLACEMENT CHARACTER}")
            cleaned[clean] = cleaned.get(clean, 0) + downloads
        written = orjson.dumps(cleaned).decode()
    return written.replace("\\", "\\\\")
