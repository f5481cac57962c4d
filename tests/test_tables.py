"""Rows as CSV."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from pypistats import tables

CELLS = st.none() | st.integers() | st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def test_a_table_has_a_line_for_each_row() -> None:
    rows = [("a", 1, None), ('b "c", d', 2.5, 0)]

    assert tables.csv_text(["x", "y", "z"], rows) == 'x,y,z\na,1,\n"b ""c"", d",2.5,0\n'


@given(st.lists(st.tuples(CELLS, CELLS)))
def test_every_cell_comes_back_and_none_is_a_formula(rows: list[tuple[object, object]]) -> None:
    written = tables.csv_text(["x", "y"], rows)

    read = list(csv.reader(io.StringIO(written, newline="")))[1:]
    for row, cells in zip(rows, read, strict=True):
        for value, cell in zip(row, cells, strict=True):
            text = "" if value is None else str(value).replace("\r", " ")
            assert cell in (text, f"'{text}")
            assert not (isinstance(value, str) and cell.startswith(("=", "+", "-", "@")))
