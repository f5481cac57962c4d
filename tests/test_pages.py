"""The pages, read as a browser without script would."""

import datetime as dt

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    InternalServerError,
    ServiceUnavailable,
    TooManyRequests,
)

from pypistats import create_app, ingest
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.statements import counted

DAY_BEFORE = DAY - dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def two_days(app: Flask) -> None:
    """Load two days of a few packages."""
    with app.app_context():
        ingest.ingest_day(
            DAY,
            FixedSource(
                package_day("flask", python_minor={"3.12": 1_234, "null": 1}, mirrored=7),
                package_day("flask-caching", downloads=20),
                package_day("flaky", downloads=30),
                package_day("zope-interface"),
            ),
        )
        ingest.ingest_day(DAY_BEFORE, FixedSource(package_day("flask", DAY_BEFORE, downloads=10)))


def page(client: FlaskClient, path: str, status: int = 200) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == status, response.text
    assert response.mimetype == "text/html"
    return BeautifulSoup(response.text, "html.parser")


def table(soup: BeautifulSoup, dimension: str) -> list[list[str]]:
    """Return the cells of a dimension's table, without its heading."""
    section = soup.find("section", {"aria-labelledby": dimension})
    return [
        [cell.get_text() for cell in row.find_all(["th", "td"])]
        for row in section.find("tbody").find_all("tr")
    ]


def test_the_start_page_has_a_search_box_with_focus(client: FlaskClient) -> None:
    soup = page(client, "/")

    assert soup.find("form")["action"] == "/search"
    assert soup.find("input", {"name": "q"}).has_attr("autofocus")


def test_the_start_page_sums_all_packages_and_ranks_them(client: FlaskClient) -> None:
    soup = page(client, "/")

    assert "The data reaches to 2026-03-15." in soup.find(class_="hero").get_text()
    assert [dd.get_text(strip=True) for dd in soup.select(".recent dd")] == [
        "1,295",
        "×130on the day before",
        "1,305",
        "not compared: days are missing",
        "1,305",
        "not compared: days are missing",
    ]
    assert [li.get_text(" ", strip=True) for li in soup.select(".ranking li")] == [
        "flask 1,245",
        "flaky 30",
        "flask-caching 20",
        "zope-interface 10",
    ]
    line = soup.select_one(".sparkline svg")
    assert line.title.get_text().endswith("1.29K on the highest day, 10 on the lowest")
    assert line.select_one("path.line")["d"] == "M0,119.1L600,0"


def test_the_start_page_says_when_nothing_is_loaded(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        db.session.execute(text("truncate ingested_days, daily"))
        db.session.commit()

    soup = page(client, "/")

    assert "No day is loaded yet" in soup.find(class_="hero").get_text()
    assert soup.find(class_="sparkline") is None


def test_a_package_page_has_the_recent_counts(client: FlaskClient) -> None:
    soup = page(client, "/packages/flask")

    assert soup.h1.get_text() == "flask"
    counts = [data.get_text() for data in soup.select(".recent data")]
    assert counts == ["1,235", "1,245", "1,245", "1,245"]
    assert [dd.get_text() for dd in soup.select(".recent dd.small")] == [
        "×124 on the day before",
        "not compared: days are missing",
        "not compared: days are missing",
        "since 2026-03-14",
    ]
    assert "Number 1 of all packages" in soup.main.get_text()


def test_a_package_page_has_a_table_for_each_dimension(client: FlaskClient) -> None:
    soup = page(client, "/packages/flask")

    assert table(soup, "overall") == [
        ["with mirrors", "1,242", "1,252", "1,252", "1,252", "100.0 %"],
        ["without mirrors", "1,235", "1,245", "1,245", "1,245", "99.4 %"],
    ]
    assert table(soup, "python_minor") == [
        ["3.12", "1,234", "1,244", "1,244", "1,244", "99.9 %"],
        ["unknown (null)", "1", "1", "1", "1", "< 0.1 %"],
    ]
    assert table(soup, "python_major")[0][0] == "3"
    assert table(soup, "system")[0][0] == "Linux"
    assert [row[0] for row in table(soup, "installer")] == ["pip", "bandersnatch"]
    assert table(soup, "version")[0][0] == "1.0"


def test_the_page_of_all_packages_sums_them(client: FlaskClient) -> None:
    soup = page(client, "/packages/__all__")

    assert soup.h1.get_text() == "All packages"
    assert soup.select_one(".recent data").get_text() == "1,295"
    assert "Number 1" not in soup.main.get_text()
    assert soup.find("section", {"aria-labelledby": "version"}) is None


@pytest.mark.parametrize("name", ["Flask", "FLASK"])
def test_another_spelling_redirects_to_the_normal_form(client: FlaskClient, name: str) -> None:
    response = client.get(f"/packages/{name}")

    assert (response.status_code, response.location) == (301, "/packages/flask")
    assert client.get("/packages/Zope.Interface").location == "/packages/zope-interface"


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        ("overall=line-90", "overall=line-90"),
        ("releases=major&system=bar-30", "releases=major&system=bar-30"),
        ("a=%C3%A9+b&c=%0d%0aX:y&d", "a=%C3%A9+b&c=%0d%0aX%3Ay&d"),
        ("a=\xc3\xa9\r\nX: y", "a=%C3%A9%0D%0AX%3A%20y"),
    ],
)
def test_another_spelling_keeps_what_is_chosen_on_the_page(
    client: FlaskClient, chosen: str, kept: str
) -> None:
    response = client.get("/packages/Flask", environ_overrides={"QUERY_STRING": chosen})

    assert (response.status_code, response.location) == (301, f"/packages/flask?{kept}")


@pytest.mark.parametrize("name", ["unknown", "Un.Known", "a%00b", "%FF", "x" * 5_000, "%25"])
def test_an_unknown_package_is_not_found(client: FlaskClient, name: str) -> None:
    soup = page(client, f"/packages/{name}", 404)

    assert soup.h1.get_text() == "Not Found"
    assert soup.find("input", {"name": "q"})


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("Flaskk", ["flask"]),
        ("flsak", ["flask"]),
        ("flax-of-its-own", ["flask", "flaky", "flask-caching"]),
        ("%25", []),
    ],
)
def test_an_unknown_package_offers_the_names_near_it(
    client: FlaskClient, asked: str, near: list[str]
) -> None:
    soup = page(client, f"/packages/{asked}", 404)

    assert [link.get_text() for link in soup.select(".ranking a")] == near


def test_an_unknown_package_is_in_the_search_box(client: FlaskClient) -> None:
    soup = page(client, "/packages/Flaskk", 404)

    assert soup.find("input", {"name": "q"})["value"] == "flaskk"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BadRequest("q takes less."), "q takes less."),
        (TooManyRequests(), "keep others waiting"),
        (InternalServerError(), "fault of this site"),
        (ServiceUnavailable(), "half a minute"),
    ],
)
def test_an_error_page_helps_and_needs_no_database(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: HTTPException, says: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("pypistats.queries.data_status", fail)

    soup = page(client, "/", error.code)

    assert says in " ".join(soup.main.get_text().split())
    assert soup.main.find("input", {"name": "q"})
    assert soup.find("meta", {"name": "robots"})["content"] == "noindex"
    assert soup.find("link", rel="canonical") is None


def test_text_from_outside_is_escaped(app: Flask, client: FlaskClient) -> None:
    evil = "<script>alert(1)</script>"
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask", installer={evil: 10})))

    soup = page(client, "/packages/flask")

    assert "alert(1)" not in [script.get_text() for script in soup.find_all("script")]
    assert evil in [row[0] for row in table(soup, "installer")]


def test_search_tells_when_nothing_is_found_or_asked(client: FlaskClient) -> None:
    assert "No package begins with" in page(client, "/search?q=nothing").h1.get_text()
    assert page(client, "/search").h1.get_text() == "Search"
    assert page(client, "/search?q=+").h1.get_text() == "Search"


@pytest.mark.parametrize("asked", ["%25", "_", "a%00", "x" * 129, "a%20b", "ünï", "__all__"])
def test_search_refuses_what_no_name_begins_with(client: FlaskClient, asked: str) -> None:
    assert "q takes" in page(client, f"/search?q={asked}", 400).main.get_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [("/api/", "/api"), ("/search/flask", "/search?q=flask"), ("/search/a%26b", "/search?q=a%26b")],
)
def test_the_addresses_of_pypistats_org_lead_on(client: FlaskClient, old: str, new: str) -> None:
    response = client.get(old)

    assert (response.status_code, response.location) == (301, new)


@pytest.mark.parametrize(
    "path", ["/packages/flask", "/packages/__all__", "/about", "/faqs", "/search?q=flas"]
)
def test_the_other_addresses_of_pypistats_org_are_the_same(client: FlaskClient, path: str) -> None:
    page(client, path)


def test_the_faqs_tell_the_rules_in_the_rules_own_numbers(client: FlaskClient) -> None:
    soup = page(client, "/faqs")
    text = " ".join(soup.main.get_text().split())

    assert "bandersnatch, z3c.pypimirror, Artifactory, devpi" in text
    assert "20 releases, and 100 of everything else" in text
    assert "reach back 180 days" in text
    anchors = {link["href"] for link in soup.select("main nav a")}
    assert anchors == {f"#{heading['id']}" for heading in soup.select("section > h2")}


@pytest.mark.parametrize(
    ("scope", "path", "told", "other"),
    [
        ("all", "/about", "No page waits for another service", "asked for"),
        ("tracked", "/about", "may wait some seconds", "No page waits for another service"),
        ("all", "/faqs", "loaded for all packages at once", "asked for here"),
        ("tracked", "/faqs", "loaded at once for the packages that", "for all packages at once"),
    ],
)
def test_what_is_told_of_the_site_is_true_where_packages_are_tracked_and_where_not(
    database_url: str, scope: str, path: str, told: str, other: str
) -> None:
    site = create_app({"DATABASE_URL": database_url, "INGEST_SCOPE": scope})

    text = " ".join(page(site.test_client(), path).main.get_text().split())

    assert told in text
    assert other not in text


def test_an_unknown_address_is_a_page(client: FlaskClient) -> None:
    assert page(client, "/nothing", 404).h1.get_text() == "Not Found"


def test_only_sample_data_has_a_banner_and_the_field_in_health(
    app: Flask, client: FlaskClient
) -> None:
    assert page(client, "/").find(class_="banner") is None
    assert client.get("/health").json == {"status": "ok", "sample_data": False}

    source = FixedSource(package_day("flask"))
    source.name = "sample"
    with app.app_context():
        ingest.ingest_day(DAY, source)

    for path in ("/", "/search?q=f", "/packages/flask"):
        assert "made up" in page(client, path).find(class_="banner").get_text()
    assert client.get("/health").json == {"status": "ok", "sample_data": True}


@pytest.mark.parametrize("path", ["/", "/search?q=fla", "/packages/flask", "/packages/unknown"])
def test_a_page_takes_few_statements(app: Flask, client: FlaskClient, path: str) -> None:
    client.get("/packages/flask?releases=major")
    with counted(app) as statements:
        client.get(path)

    assert len(statements) <= 6, statements
    assert len(statements) == 1 or path != "/packages/flask", statements


@pytest.mark.parametrize("path", ["/", "/search?q=fla", "/packages/flask", "/packages/unknown"])
def test_pages_have_nothing_inline_and_load_from_no_other_host(
    client: FlaskClient, path: str
) -> None:
    soup = BeautifulSoup(client.get(path).text, "html.parser")

    assert soup.find(style=True) is None
    assert soup.find("style") is None
    inline = soup.find_all("script", src=False)
    assert all(script["type"] == "application/ld+json" for script in inline)
    tags = soup.select("img, script[src], link:not([rel=canonical])")
    loaded = [tag.get("src") or tag.get("href") for tag in tags]
    assert loaded
    assert all(address.startswith("/") for address in loaded)
    for address in loaded:
        with client.get(address) as response:
            assert response.status_code == 200


@pytest.mark.parametrize("path", ["/", "/packages/flask"])
def test_only_the_stylesheet_holds_up_the_first_paint(client: FlaskClient, path: str) -> None:
    soup = BeautifulSoup(client.get(path).text, "html.parser")

    assert len(soup.head.find_all("link", rel="stylesheet")) == 1
    assert all(script.has_attr("defer") for script in soup.head.find_all("script", src=True))


def test_the_theme_is_set_before_anything_else_of_the_body(client: FlaskClient) -> None:
    body = page(client, "/").body

    assert body.find(True)["src"].startswith("/static/js/theme.")


def test_the_header_links_to_pages_that_answer(client: FlaskClient) -> None:
    links = [link["href"] for link in page(client, "/").select("header nav a")]

    assert links
    for link in links:
        current = page(client, link).select("header nav [aria-current]")
        assert [each["href"] for each in current] == [link]
