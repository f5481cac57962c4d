"""The lists of the most downloaded packages: made with the data, answered, and shown."""

import datetime as dt
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pypistats import ingest, rankings, supply
from pypistats.catalog import PackageDay
from tests.fixed_source import DAY, FixedSource, package_day

LISTS = "all, growing, new, python:VERSION, system:NAME or installer:NAME"


def days_before(count: int) -> dt.date:
    return DAY - dt.timedelta(days=count)


def load(app: Flask, *rows: PackageDay) -> None:
    """Load rows, each on its day, the oldest first, and make the lists."""
    with app.app_context():
        for day in sorted({row.day for row in rows}):
            ingest.ingest_day(day, FixedSource(*(row for row in rows if row.day == day)))
        assert rankings.refresh()


def top(client: FlaskClient, query: str = "", status: int = 200) -> Any:
    response = client.get(f"/api/top?{query}")
    assert response.status_code == status, response.text
    return response.json


def places(client: FlaskClient, query: str = "") -> list[tuple[str, int]]:
    return [(place["package"], place["downloads"]) for place in top(client, query)["data"]]


@pytest.fixture
def few(app: Flask) -> None:
    """Load three packages on a day, and one of them a week before."""
    load(
        app,
        package_day("flask", days_before(7), downloads=70),
        package_day("flask", python_minor={"3.12": 5, "3.9": 1}, system={"Linux": 6}, mirrored=9),
        package_day("requests", python_minor={"3.12": 60, "null": 2}, system={"Linux": 62}),
        package_day("numpy", python_minor={"3.12": 60}, installer={"uv": 60}, system={"other": 60}),
        package_day("mirrored", downloads=0, mirrored=5),
    )


@pytest.mark.usefixtures("few")
def test_the_most_downloaded_of_all_are_a_document(client: FlaskClient) -> None:
    assert top(client) == {
        "type": "top",
        "list": "all",
        "category": None,
        "period": "month",
        "until": DAY.isoformat(),
        "page": 1,
        "limit": 100,
        "more": False,
        "data": [
            {"rank": 1, "package": "flask", "downloads": 76, "before": None},
            {"rank": 2, "package": "requests", "downloads": 62, "before": None},
            {"rank": 3, "package": "numpy", "downloads": 60, "before": None},
        ],
    }


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("period=day", [("requests", 62), ("numpy", 60), ("flask", 6)]),
        ("period=week", [("requests", 62), ("numpy", 60), ("flask", 6)]),
        ("list=python:3.12", [("flask", 75), ("numpy", 60), ("requests", 60)]),
        ("list=python:3.9", [("flask", 1)]),
        ("list=python:NULL&period=week", [("requests", 2)]),
        ("list=system:linux&period=day", [("requests", 62), ("flask", 6)]),
        ("list=system:other", [("numpy", 60)]),
        ("list=installer:UV", [("numpy", 60)]),
        ("list=ALL&period=Day", [("requests", 62), ("numpy", 60), ("flask", 6)]),
        ("list=PYTHON:3.9", [("flask", 1)]),
        ("list=System:Linux&period=day", [("requests", 62), ("flask", 6)]),
        ("list=installer:bandersnatch", [("flask", 9)]),
        ("list=installer:nobody's", []),
        ("list=python:2.6", []),
        ("page=2", []),
    ],
)
def test_each_list_has_its_own_counts(
    client: FlaskClient, query: str, expected: list[tuple[str, int]]
) -> None:
    assert places(client, query) == expected


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("name", "ranking", "category"),
    [
        ("NEW", "new", None),
        ("Growing", "growing", None),
        ("SYSTEM:linux", "system", "Linux"),
        ("installer:UV", "installer", "uv"),
        ("Python:NULL", "python_minor", "null"),
        ("installer:Nobody", "installer", "Nobody"),
    ],
)
def test_a_list_is_told_in_its_own_spelling(
    client: FlaskClient, name: str, ranking: str, category: str | None
) -> None:
    document = top(client, f"list={name}")

    assert (document["list"], document["category"]) == (ranking, category)


def test_of_two_spellings_of_a_category_the_one_asked_for_is_preferred(
    app: Flask, client: FlaskClient
) -> None:
    load(app, package_day("a", installer={"PIP": 9}), package_day("b", installer={"pip": 3}))

    assert places(client, "list=installer:pip") == [("b", 3)]
    assert places(client, "list=installer:PIP") == [("a", 9)]
    assert top(client, "list=installer:Pip")["category"] in ("PIP", "pip")
    assert len(places(client, "list=installer:Pip")) == 1


@pytest.mark.usefixtures("few")
def test_a_list_is_a_table_too(client: FlaskClient) -> None:
    response = client.get("/api/top?format=csv&list=python:3.12")

    assert (response.status_code, response.mimetype) == (200, "text/csv")
    assert (
        response.text == "rank,package,downloads,before\n1,flask,75,\n2,numpy,60,\n3,requests,60,\n"
    )


@pytest.mark.usefixtures("few")
def test_a_day_that_is_loaded_again_changes_the_lists(app: Flask, client: FlaskClient) -> None:
    load(app, package_day("numpy", downloads=99, system={"Darwin": 99}))

    assert places(client) == [("numpy", 99), ("flask", 70)]
    assert places(client, "list=system:other") == []
    assert places(client, "list=system:Darwin") == [("numpy", 99)]


def test_a_list_has_pages(app: Flask, client: FlaskClient) -> None:
    load(app, *(package_day(f"p{n:02}", downloads=100 - n) for n in range(45)))

    first, second, third = (top(client, f"limit=20&page={page}") for page in (1, 2, 3))

    assert [len(page["data"]) for page in (first, second, third)] == [20, 20, 5]
    assert [page["more"] for page in (first, second, third)] == [True, True, False]
    assert second["data"][0] == {"rank": 21, "package": "p20", "downloads": 80, "before": None}


def test_a_list_ends_with_its_last_place(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rankings, "PLACES", 2)
    monkeypatch.setattr(rankings, "CANDIDATES", 3)
    load(
        app,
        package_day("a", downloads=9, system={"Linux": 1, "Darwin": 8}),
        package_day("b", downloads=8, system={"Linux": 8}),
        package_day("c", downloads=7, system={"Linux": 7}),
        package_day("d", downloads=6, system={"other": 6}),
    )

    assert places(client) == [("a", 9), ("b", 8)]
    assert places(client, "list=system:Linux") == [("b", 8), ("c", 7)]
    assert places(client, "list=system:other") == []


def test_only_the_largest_categories_have_lists(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rankings, "CATEGORIES", 1)
    load(app, package_day("a", installer={"pip": 9, "uv": 3}))

    assert places(client, "list=installer:pip") == [("a", 9)]
    assert places(client, "list=installer:uv") == []


def two_weeks(**daily: tuple[int, int]) -> list[PackageDay]:
    """Make rows of packages that had so many downloads each day of the last two weeks."""
    return [
        package_day(package, days_before(ago), downloads=before if ago >= 7 else now)
        for package, (before, now) in daily.items()
        for ago in range(14)
        if (before if ago >= 7 else now)
    ]


def test_growth_is_told_by_its_factor_or_from_nothing(app: Flask, client: FlaskClient) -> None:
    load(
        app,
        *two_weeks(
            doubled=(1_000, 2_000),
            tripled=(1_500, 4_500),
            shrank=(5_000, 4_000),
            steady=(3_000, 3_000),
            fresh=(0, 1_000),
            fresher=(10, 9_000),
            small=(999, 998),
        ),
    )

    assert top(client, "list=growing&period=week")["data"] == [
        {"rank": 1, "package": "tripled", "downloads": 31_500, "before": 10_500},
        {"rank": 2, "package": "doubled", "downloads": 14_000, "before": 7_000},
    ]
    assert top(client, "list=new&period=week")["data"] == [
        {"rank": 1, "package": "fresher", "downloads": 63_000, "before": 70},
        {"rank": 2, "package": "fresh", "downloads": 7_000, "before": 0},
    ]


@pytest.mark.parametrize(
    ("missing", "growing"),
    [
        pytest.param((), [("doubled", 28_000, 14_000)], id="none"),
        pytest.param((1, 2, 3), [("doubled", 16_000, 8_000)], id="less than half of the period"),
        pytest.param((8, 9, 10), [("doubled", 28_000, 14_000)], id="less than half of that before"),
        pytest.param((1, 8), [("doubled", 24_000, 12_000)], id="a day of both"),
        pytest.param((1, 2, 3, 4), [], id="more than half of the period"),
        pytest.param((8, 9, 10, 11), [], id="more than half of that before"),
    ],
)
def test_growth_is_of_daily_means_if_half_of_the_days_are_there(
    app: Flask,
    client: FlaskClient,
    missing: tuple[int, ...],
    growing: list[tuple[str, int, int]],
) -> None:
    days = [days_before(ago) for ago in missing]
    load(app, *(row for row in two_weeks(doubled=(2_000, 4_000)) if row.day not in days))

    data = top(client, "list=growing&period=week")["data"]
    assert [(each["package"], each["downloads"], each["before"]) for each in data] == growing
    assert places(client, "list=growing&period=month") == []


@pytest.mark.usefixtures("few")
def test_lists_are_made_once_for_a_state_of_the_data(app: Flask, client: FlaskClient) -> None:
    assert places(client)[0] == ("flask", 76)
    with app.app_context():
        assert not rankings.refresh()
        ingest.ingest_day(DAY, FixedSource(package_day("numpy", downloads=99)))
        assert rankings.refresh()
        assert not rankings.refresh()

    assert places(client)[0] == ("numpy", 99)


def test_a_package_that_was_fetched_by_itself_is_in_the_lists(
    app: Flask, client: FlaskClient
) -> None:
    morning = dt.datetime.combine(DAY + dt.timedelta(days=1), dt.time(5), dt.UTC)
    source = FixedSource(package_day("flask", downloads=5), package_day("numpy", downloads=7))
    with app.app_context():
        for name in ("flask", "numpy"):
            supply.fetch_package(name, lambda: source, days=30, clock=lambda: morning)
            assert rankings.refresh()
            assert not rankings.refresh()

    assert places(client) == [("numpy", 7), ("flask", 5)]


def test_without_data_lists_are_empty(client: FlaskClient) -> None:
    for query in ("", "list=new", "list=python:3.12"):
        document = top(client, query)
        assert (document["until"], document["data"]) == (None, [])


@pytest.mark.parametrize(
    ("query", "parameter", "accepts"),
    [
        ("period=year", "period", "one of day, week, month"),
        ("limit=19", "limit", "a whole number from 20 to 1000"),
        ("limit=1001", "limit", "a whole number from 20 to 1000"),
        ("page=0", "page", "a whole number from 1 to 100"),
        *(
            (f"list={name}", "list", LISTS)
            for name in (
                "best",
                "",
                "python",
                "python:",
                "installer:a%00",
                f"system:{'x' * 101}",
                "\N{LATIN SMALL LETTER DOTLESS I}nstaller:uv",
            )
        ),
        ("format=xml", "format", "one of json, csv"),
    ],
)
def test_a_value_that_can_not_be_is_refused(
    client: FlaskClient, query: str, parameter: str, accepts: str
) -> None:
    error = top(client, query, 400)["error"]

    assert (error["parameter"], error["message"]) == (parameter, f"{parameter} takes {accepts}.")


def page(client: FlaskClient, path: str) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return BeautifulSoup(response.text, "html.parser")


def cells(soup: BeautifulSoup) -> list[list[str]]:
    return [
        [" ".join(cell.get_text().split()) for cell in row.find_all(["th", "td"])]
        for row in soup.select("tbody tr")
    ]


@pytest.mark.usefixtures("few")
def test_the_page_shows_a_list_and_the_ways_to_others(client: FlaskClient) -> None:
    soup = page(client, "/top?period=week")

    links = {link.get_text(): link["href"] for link in soup.select("main a")}
    assert soup.h1.get_text() == "Most downloaded packages"
    assert cells(soup) == [["1", "requests", "62"], ["2", "numpy", "60"], ["3", "flask", "6"]]
    assert links["requests"] == "/packages/requests"
    assert links["Last month"] == "/top"
    assert links["Fastest growing"] == "/top?list=growing&period=week"
    assert links["3.12"] == "/top?list=python:3.12&period=week"
    assert links["Linux"] == "/top?list=system:Linux&period=week"
    assert links["uv"] == "/top?list=installer:uv&period=week"
    assert links["CSV"] == "/api/top?period=week&format=csv"
    for link in links.values():
        assert client.get(link).status_code == 200


@pytest.mark.usefixtures("few")
def test_the_page_names_the_category(client: FlaskClient) -> None:
    assert page(client, "/top?list=python:3.12").h1.get_text() == "Most downloaded with Python 3.12"
    assert page(client, "/top?list=installer:uv").h1.get_text() == "Most downloaded by uv"


@pytest.mark.usefixtures("few")
def test_the_page_of_a_category_in_another_case_is_the_same(client: FlaskClient) -> None:
    paths = ("/top?list=installer:uv", "/top?list=Installer:UV")

    mains = [page(client, path).main for path in paths]

    assert mains[0] == mains[1]
    assert mains[0].select_one(".lists [aria-current]").get_text() == "uv"


def test_the_page_shows_growth(app: Flask, client: FlaskClient) -> None:
    load(app, *two_weeks(tripled=(1_500, 4_500), fresh=(0, 1_000)))

    growing, new = (page(client, f"/top?list={name}&period=week") for name in ("growing", "new"))

    assert cells(growing) == [["1", "tripled", "31,500", "10,500", "+200.0 %"]]
    assert cells(new) == [["1", "fresh", "7,000", "0", "new"]]


def test_a_long_list_is_paged_on_the_page(app: Flask, client: FlaskClient) -> None:
    load(app, *(package_day(f"p{n:02}", downloads=100 - n) for n in range(45)))

    soup = page(client, "/top?limit=20&page=2")

    assert soup.select_one("a[rel=prev]")["href"] == "/top?limit=20"
    assert soup.select_one("a[rel=next]")["href"] == "/top?limit=20&page=3"
    assert cells(soup)[0] == ["21", "p20", "80"]


def test_without_data_the_page_says_so(client: FlaskClient) -> None:
    assert "Nothing is on this list" in page(client, "/top").main.get_text()
    assert "needs half of the days of both" in page(client, "/top?list=new").main.get_text()
