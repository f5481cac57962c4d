"""How templates write values and addresses."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, url_for

from pypistats.category_table import CategoryRow
from pypistats.views import filters


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("pages.package", {"name": "flask"}),
        ("pages.package", {"name": "__all__", "releases": "major"}),
        ("pages.package", {"name": "no name/at all?", "releases": None}),
        ("images.chart", {"dimension": "system", "name": "zope-interface", "format": "csv"}),
        ("search.page", {"q": "a b"}),
        ("static", {"filename": "site.css"}),
    ],
)
@pytest.mark.parametrize("root", ["", "/stats"])
def test_an_address_is_the_one_that_flask_gives(
    app: Flask, root: str, endpoint: str, values: dict[str, Any]
) -> None:
    with app.test_request_context("/", base_url=f"http://localhost{root}"):
        assert filters.address(endpoint, **values) == url_for(endpoint, **values)


def test_a_row_of_a_table_has_its_category_and_numbers() -> None:
    rows = [
        CategoryRow("null", 1, 2, 30, 4_000, 0.5),
        CategoryRow("<b>" + "x" * 60, 0, 0, 0, 1, 0.0001),
    ]

    first, second = BeautifulSoup(filters.category_rows(rows), "html.parser").find_all("tr")

    assert [cell.get_text() for cell in first] == [
        "unknown (null)", "1", "2", "30", "4,000", "50.0 %",
    ]  # fmt: skip
    assert [cell["value"] for cell in first.find_all("data")] == ["1", "2", "30", "4000"]
    assert first.find_all("td")[-1]["data-value"] == "0.5"
    assert second.th.get_text() == "<b>" + "x" * 56 + "…"
    assert second.find_all("td")[-1].get_text() == "< 0.1 %"


def test_a_path_breaks_after_slashes_and_underscores_and_is_escaped() -> None:
    path = "/api/{package}/python_major/<b>"

    written = filters.breakable(path)

    assert written == "/api/<wbr>{package}/<wbr>python_<wbr>major/<wbr>&lt;b&gt;"
