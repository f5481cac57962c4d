"""PRESENT: rows as CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence

MIMETYPE = "text/csv"

_FORMULA = ("=", "+", "-", "@", "\t")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table as CSV, None as an empty cell.

    Texts can come from user agents: none is left that a spreadsheet would take for a formula.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_harmless(name) for name in header])
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return text.getvalue()


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A lone return would not be quoted, and ends a line for those who read it.
    text = value.replace("\r", " ")
    return f"'{text}" if text.startswith(_FORMULA) else text
