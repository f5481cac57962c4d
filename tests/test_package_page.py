"""The page of one package: what PyPI tells of it, its place, its releases, odd days, snippets."""

import datetime as dt

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from pypistats import ingest, pypi_store
from pypistats.catalog import Link, PackageInfo
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day

EVIL = '"><script>alert(1)</script>'
INFO = PackageInfo(
    summary="A framework",
    author="Pallets",
    license="BSD-3-Clause",
    requires_python=">=3.10",
    latest_version="3.1.2",
    released=dt.date(2026, 3, 1),
    links=(Link("Source", "https://code.example/flask"), Link(EVIL, "https://evil.example/?<")),
    releases={"3.1.2": dt.date(2026, 3, 1)},
    required=("jinja2", "werkzeug"),
    optional=("asgiref",),
)


@pytest.fixture(autouse=True)
def packages(app: Flask) -> None:
    releases = {"3.1.2": 50, "3.1.0": 20, "3.0": 10, "2.0rc1": 5, "2026!1.0": 3, "other": 2}
    with app.app_context():
        ingest.ingest_day(
            DAY,
            FixedSource(
                package_day("flask", version=releases),
                package_day("more", downloads=100),
                package_day("mirrored", downloads=0, mirrored=5),
            ),
        )


def keep(app: Flask, info: PackageInfo, package: str = "flask") -> None:
    with app.app_context():
        pypi_store.save_info(package, info)
        db.session.commit()


def page(client: FlaskClient, path: str = "/packages/flask", status: int = 200) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == status, response.text
    return BeautifulSoup(response.text, "html.parser")


def words(element: BeautifulSoup) -> str:
    return " ".join(element.get_text().split())


def test_it_tells_what_pypi_tells(app: Flask, client: FlaskClient) -> None:
    keep(app, INFO)
    soup = page(client)

    assert soup.find(class_="lead").get_text() == "A framework"
    assert [words(fact) for fact in soup.select(".facts li")] == [
        "Latest release 3.1.2, 2026-03-01",
        "Python >=3.10",
        "License BSD-3-Clause",
        "By Pallets",
    ]
    assert [link["href"] for link in soup.select(".dependencies a")] == [
        "/packages/jinja2",
        "/packages/werkzeug",
        "/packages/asgiref",
    ]
    assert words(soup.select_one(".dependencies summary")) == (
        "Depends on 2 packages, and 1 more at choice"
    )


def test_without_pypis_words_the_page_lacks_only_them(client: FlaskClient) -> None:
    soup = page(client)

    assert soup.find(class_="facts") is None
    assert soup.find(class_="dependencies") is None
    assert [link.get_text() for link in soup.select(".chips a")] == ["PyPI"]


def test_links_lead_away_without_endorsement(app: Flask, client: FlaskClient) -> None:
    keep(app, INFO)

    links = page(client).select(".chips > li > a[href^=http]")

    assert [link.get_text() for link in links] == ["PyPI", "Source", EVIL]
    assert all(link["rel"] == ["nofollow", "noopener"] for link in links)


def test_words_from_outside_are_escaped_and_cut(app: Flask, client: FlaskClient) -> None:
    long = EVIL + "x" * 100_000
    names = tuple(f"name-{number}" for number in range(1_000))
    keep(
        app,
        PackageInfo(
            long, long, long, long, long, None, (Link(long, "https://a.example"),) * 99, {}, names,
            names,
        ),
    )  # fmt: skip

    response = client.get("/packages/flask")
    soup = BeautifulSoup(response.text, "html.parser")

    assert all("alert" not in script.get_text() for script in soup.find_all("script"))
    assert soup.find(class_="lead").get_text().startswith(EVIL)
    assert len(response.text) < 100_000


def test_packages_are_ranked_by_the_last_month(client: FlaskClient) -> None:
    assert "Number 1 of all packages" in words(page(client, "/packages/more").main)
    assert "Number 2 of all packages" in words(page(client).main)
    assert "Number" not in words(page(client, "/packages/mirrored").main)


def rows(soup: BeautifulSoup) -> list[tuple[str, str]]:
    section = soup.find("section", {"aria-labelledby": "version"})
    return [(row.th.get_text(), row.td.get_text()) for row in section.select("tbody tr")]


def test_a_week_that_lacks_a_day_is_compared_by_daily_means(
    app: Flask, client: FlaskClient
) -> None:
    ago = {1: 10, 2: 10, 3: 10, 7: 40, 8: 40, 9: 40, 10: 40, 11: 40, 12: 40, 13: 40}
    with app.app_context():
        for days, downloads in ago.items():
            day = DAY - dt.timedelta(days=days)
            ingest.ingest_day(day, FixedSource(package_day("flask", day, downloads=downloads)))

    soup = page(client)

    day, week, month = soup.select(".recent .card")[:3]
    assert words(day).endswith("on the day before")
    assert words(week) == "Last week 120 \N{MINUS SIGN}25.0 % on the week before, by daily means"
    assert week.find("span")["title"] == "280 before, in 7 of 7 days; now in 4 of 7"
    assert words(month).endswith("not compared: days are missing")


def test_releases_are_grouped_at_choice(client: FlaskClient) -> None:
    assert rows(page(client))[0] == ("3.1.2", "50")
    assert rows(page(client, "/packages/flask?releases=major")) == [
        ("3.x", "80"),
        ("2.x", "5"),
        ("2026!1.x", "3"),
        ("other", "2"),
    ]
    assert rows(page(client, "/packages/flask?releases=minor"))[:3] == [
        ("3.1.x", "70"),
        ("3.0.x", "10"),
        ("2.0.x", "5"),
    ]


def test_the_choice_of_a_group_is_a_link_that_says_where_one_is(client: FlaskClient) -> None:
    soup = page(client, "/packages/flask?releases=minor")

    links = soup.select("[aria-label='Group releases'] a")

    assert [link["href"] for link in links] == [
        "/packages/flask#version",
        "/packages/flask?releases=major#version",
        "/packages/flask?releases=minor#version",
    ]
    assert [link.get_text() for link in links if link.get("aria-current")] == ["1.2.x"]
    assert "releases takes one of" in words(page(client, "/packages/flask?releases=x", 400).main)


def test_missing_and_suspect_days_are_explained(app: Flask, client: FlaskClient) -> None:
    assert page(client).find(class_="marks") is None

    with app.app_context():
        for days_ago in (5, 9):
            day = DAY - dt.timedelta(days=days_ago)
            ingest.ingest_day(day, FixedSource(package_day("flask", day)))
        db.session.execute(
            text("update ingested_days set state = 'suspect' where day = :day"), {"day": day}
        )
        db.session.commit()

    marks = page(client).find(class_="marks")

    assert words(marks.summary) == "7 of the days are missing, 1 looks wrong"
    missing, suspect = (words(each) for each in marks.find_all("p"))
    assert missing.startswith("2026-03-07 to 2026-03-09, 2026-03-11 to 2026-03-14. Not at the")
    assert suspect.startswith("2026-03-06. Far fewer")


def test_a_badge_is_there_to_copy_in_three_languages(client: FlaskClient) -> None:
    soup = page(client)

    address, target = "http://localhost/badge/flask.svg", "http://localhost/packages/flask"
    assert [
        code.get_text() for code in soup.select("[aria-labelledby=badge] [data-tabs] code")
    ] == [
        f"[![Downloads]({address})]({target})",
        f'<a href="{target}"><img src="{address}" alt="Downloads"></a>',
        f".. image:: {address}\n   :alt: Downloads\n   :target: {target}",
    ]
    assert client.get(soup.select_one("section img")["src"]).mimetype == "image/svg+xml"


def test_a_package_that_only_mirrors_took_says_so_in_numbers(client: FlaskClient) -> None:
    soup = page(client, "/packages/mirrored")

    assert [data.get_text() for data in soup.select(".recent data")] == ["0", "0", "0", "0"]
    assert soup.find("section", {"aria-labelledby": "overall"})
    assert soup.find("section", {"aria-labelledby": "system"}) is None


def test_a_package_without_data_says_why(app: Flask, client: FlaskClient) -> None:
    assert "There is no package named 'new' here." in words(page(client, "/packages/new", 404))

    with app.app_context():
        pypi_store.replace_names(["flask", "new"])
        db.session.commit()

    assert "no download of it is loaded here so far" in words(page(client, "/packages/new", 404))
    assert "PyPI has no" not in words(page(client, "/packages/unheard-of", 404))


@pytest.mark.parametrize(
    ("query", "chart"),
    [
        ("", ""),
        ("?overall=bar-90-mean-log", "?chart=bar&days=90&smooth=7"),
        ("?overall=share", "?chart=bar&share=1"),
        ("?overall=pie-31&system=bar", ""),
    ],
)
def test_a_shared_page_has_its_overall_chart_as_its_picture(
    client: FlaskClient, query: str, chart: str
) -> None:
    soup = BeautifulSoup(client.get(f"/packages/flask{query}").text, "html.parser")

    address = soup.find("meta", property="og:image")["content"]
    assert address == f"http://localhost/api/packages/flask/chart/overall{chart}"
    assert soup.find("meta", attrs={"name": "twitter:card"})["content"] == "summary_large_image"
    assert client.get(f"{address}{'&' if chart else '?'}format=json").status_code == 200


def test_each_dimension_has_a_chart_with_downloads_and_snippets(client: FlaskClient) -> None:
    soup = page(client)

    charts = {box["data-dimension"]: box for box in soup.select("[data-chart]")}
    assert list(charts) == [section["aria-labelledby"] for section in soup.select(".dimension")]
    box = charts["system"]
    address = "/api/packages/flask/chart/system"
    assert [(link.get_text(), link["href"]) for link in box.select("[data-format]")] == [
        ("PNG", f"{address}?format=png"),
        ("SVG", f"{address}?format=svg"),
        ("CSV", f"{address}?format=csv"),
        ("JSON", f"{address}?format=json"),
    ]
    target, picture = "http://localhost/packages/flask#system", f"http://localhost{address}"
    html = (
        f'<a href="{target}">\n  <picture>\n'
        f'    <source media="(prefers-color-scheme: dark)" srcset="{picture}?theme=dark">\n'
        f'    <img src="{picture}" alt="Downloads of flask by system" width="830">\n'
        "  </picture>\n</a>"
    )
    assert [code.get_text() for code in box.select("code")] == [
        f"[![Downloads of flask by system]({picture})]({target})",
        html,
        f".. image:: {picture}\n   :alt: Downloads of flask by system\n   :target: {target}",
    ]


def test_what_pages_share_has_each_page_s_own_name_and_address(app: Flask) -> None:
    client = app.test_client()
    pages = {
        (host, name): client.get(f"/packages/{name}", base_url=f"http://{host}").text
        for host in ("one.example", "two.example")
        for name in ("flask", "more", "__all__")
    }

    for (host, name), html in pages.items():
        soup = BeautifulSoup(html, "html.parser")
        assert "BLANK" not in html
        assert soup.select_one(f'a[href="/api/packages/{name}/system"]')
        others = [other for other in pages if other[1] != name or other[0] != host]
        told = " ".join(code.get_text() for code in soup.select("code"))
        assert f"http://{host}/packages/{name}" in told
        assert not any(f"http://{host}/packages/{name}" in told for host, name in others)
    assert "of all packages by system" in pages["one.example", "__all__"]
    assert "of flask by system" in pages["one.example", "flask"]


def test_releases_that_the_chart_marks_are_told_in_words(app: Flask, client: FlaskClient) -> None:
    days = {"3.1.2": DAY, "<b>": DAY, "3.2": DAY + dt.timedelta(days=1), "3.1": dt.date(2020, 1, 1)}
    keep(app, INFO._replace(releases=days))

    charts = page(client).select(".chart figcaption")

    told = [words(chart) for chart in charts if "marked" in words(chart)]
    assert len(told) == 1
    assert f"Releases marked: 3.1.2 of {DAY}. " in told[0]


def test_the_chart_is_grouped_as_its_table_is(client: FlaskClient) -> None:
    soup = page(client, "/packages/flask?releases=major")

    figure = soup.find("figure", {"data-dimension": "version"})
    assert figure["data-chart"] == "/api/packages/flask/chart/version?releases=major"
    links = {link["data-format"]: link["href"] for link in figure.select("[data-format]")}
    document = client.get(links["json"]).json
    assert document["datasets"] == [
        {"label": "2.x", "data": [5]},
        {"label": "3.x", "data": [80]},
        {"label": "2026!1.x", "data": [3]},
        {"label": "other", "data": [2]},
    ]
    code = figure.select_one("code")
    assert "/chart/version?releases=major)" in code.get_text()
    other = soup.find("figure", {"data-dimension": "system"})
    assert other["data-chart"] == "/api/packages/flask/chart/system"


def test_only_releases_can_be_grouped(client: FlaskClient) -> None:
    response = client.get("/api/packages/flask/chart/system?releases=major")

    assert response.status_code == 400
    assert response.json["error"]["parameter"] == "releases"


def test_a_page_is_small_however_much_there_is(app: Flask, client: FlaskClient) -> None:
    keep(app, INFO._replace(required=tuple(f"needs-{number}" for number in range(100))))
    day = DAY - dt.timedelta(days=1)
    maps = {f"{major}.{minor}": 10**9 + minor for major in range(1, 6) for minor in range(40)}
    row = package_day("flask", day, version=maps, python_minor=maps, installer=maps, system=maps)
    with app.app_context():
        ingest.ingest_day(day, FixedSource(row))

    response = client.get("/packages/flask", headers={"Accept-Encoding": "br"})

    assert response.content_encoding == "br"
    assert len(response.data) < 30_000
