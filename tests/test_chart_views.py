"""Charts by HTTP: what each format holds, and what is refused."""

import datetime as dt
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import text

from pypistats import create_app, ingest, pypi_store, store
from pypistats.extensions import db
from pypistats.views.chart_parameters import FORMATS
from tests.fixed_source import DAY, FixedSource, package_day

FIRST = DAY - dt.timedelta(days=3)
GAP = DAY - dt.timedelta(days=1)
LABELS = [(FIRST + dt.timedelta(days=offset)).isoformat() for offset in range(4)]


@pytest.fixture(autouse=True)
def three_days_of_four(app: Flask) -> None:
    """Load three days; flask is not downloaded on the second, and the one before last is a gap."""
    rows = {
        FIRST: package_day(
            "flask",
            FIRST,
            python_minor={"3.9": 4, "3.10": 2, "null": 2},
            system={"Linux": 6, "Windows": 2},
            installer={"pip": 8, "=cmd()": 1, "bandersnatch": 3},
            mirrored=4,
        ),
        FIRST + dt.timedelta(days=1): package_day("other", FIRST + dt.timedelta(days=1)),
        DAY: package_day(
            "flask",
            python_minor={f"3.{minor}": 10 * minor for minor in range(1, 13)},
            system={"Linux": 780},
            version={"1.0": 700, "other": 80},
        ),
    }
    for day, row in rows.items():
        with app.app_context():
            ingest.ingest_day(day, FixedSource(row))


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    response = client.get(f"/api/packages/flask/chart/{path}")
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    return response.json


def data(client: FlaskClient, path: str) -> dict[str, list[float | None]]:
    join = "&" if "?" in path else "?"
    document = get(client, f"{path}{join}format=json")
    return {dataset["label"]: dataset["data"] for dataset in document["datasets"]}


@pytest.mark.parametrize("name", ["json", "data", "JSON"])
def test_the_data_has_every_day_and_null_for_a_gap(client: FlaskClient, name: str) -> None:
    assert get(client, f"system?format={name}") == {
        "package": "flask",
        "type": "system",
        "chartType": "line",
        "title": "flask: daily downloads by system, without mirrors",
        "labels": LABELS,
        "datasets": [
            {"label": "Linux", "data": [6, 0, None, 780]},
            {"label": "Windows", "data": [2, 0, None, 0]},
        ],
    }


def test_releases_are_marked_in_the_data_and_the_figure(app: Flask, client: FlaskClient) -> None:
    days = {"1.0": FIRST, "1.1": DAY, "0.9": FIRST - dt.timedelta(days=1), "2.0a1": DAY}
    with app.app_context():
        pypi_store.save_info("flask", pypi_store.NOTHING._replace(releases=days))
        db.session.commit()

    assert get(client, "overall?format=json")["releases"] == [
        {"version": "1.0", "day": LABELS[0]},
        {"version": "1.1", "day": LABELS[-1]},
    ]
    shown = get(client, f"overall?format=plotly&since={LABELS[1]}")["data"]
    assert [(each["name"], each["x"][0]) for each in shown][2:] == [("Releases", LABELS[-1])]
    assert "releases" not in get(client, "system?format=json")


def test_overall_has_two_categories_or_the_one_that_is_asked_for(client: FlaskClient) -> None:
    both = {"with_mirrors": [12, 0, None, 780], "without_mirrors": [8, 0, None, 780]}

    assert data(client, "overall?chart=bar") == both
    for mirrors, name in (("true", "with_mirrors"), ("False", "without_mirrors")):
        assert data(client, f"overall?mirrors={mirrors}") == {name: both[name]}


def test_versions_of_python_are_in_their_order_and_ten_at_most(client: FlaskClient) -> None:
    found = data(client, "python_minor")

    assert list(found) == [f"3.{minor}" for minor in range(3, 13)] + ["other"]
    assert found["other"] == [2, 0, None, 30]
    assert found["3.9"] == [4, 0, None, 90]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("python_major?version=3", {"3": [6, 0, None, 780]}),
        ("python_minor?version=3.9", {"3.9": [4, 0, None, 90]}),
        ("python_minor?version=NULL", {"null": [2, 0, None, 0]}),
        ("python_minor?version=3.99", {"3.99": [0, 0, None, 0]}),
        ("system?os=windows", {"Windows": [2, 0, None, 0]}),
        ("system?os=Darwin&share=1", {"Darwin": [0, 0, None, 0]}),
    ],
)
def test_one_category_can_be_shown(
    client: FlaskClient, path: str, expected: dict[str, list[float | None]]
) -> None:
    assert data(client, path) == expected


def test_a_release_that_may_be_in_the_tail_has_no_value(client: FlaskClient) -> None:
    assert data(client, "version") == {"1.0": [8, 0, None, 700], "other": [0, 0, None, 80]}


def test_shares_are_percents_of_all_categories(client: FlaskClient) -> None:
    assert data(client, "python_minor?share=1&version=3.9") == {"3.9": [50, 0, None, 11.5385]}
    assert data(client, "overall?share=true")["without_mirrors"] == [66.6667, 0, None, 100]


def test_a_mean_is_of_the_days_that_are_loaded_before_the_range_too(client: FlaskClient) -> None:
    assert data(client, "system?os=Linux&smooth=7") == {"Linux": [6, 3, None, 262]}
    assert data(client, f"system?os=Linux&smooth=4&since={DAY}") == {"Linux": [262]}


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        (f"since={LABELS[1]}&until={LABELS[2]}", LABELS[1:3]),
        (f"until={LABELS[1]}", LABELS[:2]),
        ("days=30", LABELS),
        ("since=2001-01-01&until=2200-01-01", LABELS),
        ("since=2200-01-01", []),
    ],
)
def test_a_range_shows_the_loaded_days_in_it(
    client: FlaskClient, query: str, labels: list[str]
) -> None:
    assert get(client, f"system?format=json&{query}")["labels"] == labels


def test_a_title_is_cut_and_cleaned(client: FlaskClient) -> None:
    assert get(client, "system?format=json&title=+My%0A<b>%26%00+")["title"] == "My <b>&"
    joined = "👨\u200d👩 می\u200cخواهم"
    assert get(client, f"system?format=json&title=\u202e{joined}\u200b")["title"] == joined
    assert len(get(client, f"system?format=json&title={'x' * 900}")["title"]) < 250
    assert len(get(client, f"system?format=json&title=a{chr(0x301) * 5_000}")["title"]) < 1_000
    figure = get(client, "system?format=plotly&title=<b>$x$")
    assert figure["layout"]["title"]["text"].startswith("&lt;b&gt;&#36;x&#36;<br>")


def test_csv_has_a_row_for_each_day_and_no_formula(client: FlaskClient) -> None:
    response = client.get("/api/packages/flask/chart/installer?format=csv")

    assert response.mimetype == "text/csv"
    assert response.text.splitlines() == [
        "date,pip,bandersnatch,'=cmd()",
        f"{LABELS[0]},8,3,1",
        f"{LABELS[1]},0,0,0",
        f"{LABELS[2]},,,",
        f"{LABELS[3]},780,0,0",
    ]


@pytest.mark.parametrize("dimension", ["overall", "python_minor", "installer", "version"])
@pytest.mark.parametrize("kind", ["line", "bar"])
def test_the_figure_has_the_same_numbers(client: FlaskClient, dimension: str, kind: str) -> None:
    figure = get(client, f"{dimension}?format=plotly&chart={kind}&theme=dark&width=640&height=320")

    drawn = [trace["y"] for trace in figure["data"] if trace.get("mode") != "none"]
    assert drawn == list(data(client, dimension).values())
    assert {trace["type"] for trace in figure["data"]} == {"bar" if kind == "bar" else "scatter"}
    assert figure["layout"]["paper_bgcolor"] == "#0d1117"
    assert (figure["layout"]["width"], figure["layout"]["height"]) == (640, 320)


def test_any_spelling_works_in_place_and_all_packages_are_one(client: FlaskClient) -> None:
    spelled = client.get("/api/packages/FLASK/chart/System?format=json").json
    everything = client.get("/api/packages/__all__/chart/system?format=json").json

    assert spelled == get(client, "system?format=json")
    assert everything["title"] == "All packages: daily downloads by system, without mirrors"
    assert everything["datasets"][0]["data"] == [6, 10, None, 780]


@pytest.mark.parametrize(
    ("path", "parameter", "accepts"),
    [
        ("downloads", "type", "one of overall, python_major"),
        ("system?chart=pie", "chart", "one of line, bar"),
        ("system?format=gif", "format", "one of png, svg, json, data, csv, plotly"),
        ("system?theme=blue", "theme", "one of light, dark"),
        ("system?mirrors=true", "mirrors", "nothing here: it belongs to the type overall"),
        ("overall?version=3", "version", "it belongs to the type python_major or python_minor"),
        ("version?version=1.0", "version", "it belongs to the type python_major or python_minor"),
        ("installer?os=Linux", "os", "it belongs to the type system"),
        ("overall?mirrors=maybe", "mirrors", "one of true, false"),
        ("python_major?version=3.12", "version", "a major version such as 3, or null"),
        ("python_minor?version=3", "version", "a minor version such as 3.12, or null"),
        ("system?os=BeOS", "os", "one of Windows"),
        ("system?days=31", "days", "one of 30, 90, 180"),
        ("system?days=30&since=2026-03-01", "days", "nothing beside since"),
        ("system?since=2026-02-30", "since", "a day such as 2026-03-01"),
        ("system?until=yesterday", "until", "a day such as 2026-03-01"),
        ("system?since=2026-03-02&until=2026-03-01", "until", "a day that is not before since"),
        ("system?smooth=0", "smooth", "a whole number from 1 to 30"),
        ("system?smooth=7.5", "smooth", "a whole number from 1 to 30"),
        ("system?share=yes", "share", "one of 1, 0, true, false"),
        ("system?width=299", "width", "a whole number from 300 to 2,000"),
        ("system?height=9999999999", "height", "a whole number from 200 to 1,200"),
        ("system?scale=3.1", "scale", "a number from 0.5 to 3"),
        ("system?scale=nan", "scale", "a number from 0.5 to 3"),
        ("system?width=2000&height=1200&scale=2", "scale", "at most 4,000,000 pixels"),
    ],
)
@pytest.mark.parametrize("name", ["png", "json"])
def test_what_can_not_be_is_refused_by_its_parameter(
    client: FlaskClient, path: str, parameter: str, accepts: str, name: str
) -> None:
    join = "&" if "?" in path else "?"
    asked = path if "format=" in path else f"{path}{join}format={name}"
    error = get(client, asked, 400)["error"]

    assert error["parameter"] == parameter
    assert accepts in error["message"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_unknown_package_is_not_found_in_any_format(client: FlaskClient, name: str) -> None:
    response = client.get(f"/api/packages/unknown/chart/system?format={name}")

    assert response.status_code == 404
    assert response.get_json()["error"]["message"] == "There is no package named 'unknown' here."


def test_a_package_that_only_mirrors_took_has_charts_of_nothing(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask", downloads=0, mirrored=5)))

    assert data(client, f"system?since={DAY}") == {}
    assert data(client, f"overall?since={DAY}") == {"with_mirrors": [5], "without_mirrors": [0]}
    figure = get(client, f"system?format=plotly&since={DAY}")
    assert figure["layout"]["annotations"][0]["text"] == "No downloads in these days"


def test_suspect_days_are_shaded(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        db.session.execute(
            text("update ingested_days set state = 'suspect' where day = :day"), {"day": DAY}
        )
        store.bump_revision()
        db.session.commit()

    shapes = get(client, "system?format=plotly")["layout"]["shapes"]

    assert [shape["x1"] for shape in shapes] == [f"{DAY} 12:00"]
    assert get(client, "overall?format=json")["suspect"] == [DAY.isoformat()]
    assert "suspect" not in get(client, f"overall?format=json&until={GAP}")


@pytest.fixture(scope="module")
def with_chrome(session_app: Flask) -> Iterator[None]:
    """End the app's Chrome after the module."""
    yield
    session_app.extensions["renderer"].close()


@pytest.mark.usefixtures("with_chrome")
@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", (1200, 600)),
        ("?chart=bar&theme=dark&width=400&height=300&scale=2&title=<b>%F0%9F%90%8D", (800, 600)),
    ],
)
def test_a_picture_is_a_png_in_the_size_that_is_asked_for(
    client: FlaskClient, query: str, size: tuple[int, int]
) -> None:
    response = client.get(f"/api/packages/flask/chart/system{query}")

    assert response.mimetype == "image/png"
    assert Image.open(BytesIO(response.data)).size == size
    assert len(response.data) < 80_000


@pytest.mark.usefixtures("with_chrome")
def test_an_svg_has_its_text_and_may_not_run_anything(client: FlaskClient) -> None:
    response = client.get("/api/packages/flask/chart/installer?format=svg&title=<b>")

    assert response.mimetype == "image/svg+xml"
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    picture = BeautifulSoup(response.text, "html.parser")
    heading, line = (text.get_text() for text in picture.select(".gtitle"))
    assert heading == "<b>"
    assert line.startswith("Daily downloads by installer")
    assert [each.get_text() for each in picture.select(".legendtext")] == [
        "pip",
        "bandersnatch",
        "=cmd()",
    ]


@pytest.mark.parametrize("query", ["nocache=1", "nocache=true", "nocache=TRUE", "cache=FALSE"])
def test_a_chart_is_made_anew_for_who_asks(client: FlaskClient, query: str) -> None:
    path = "/api/packages/flask/chart/overall?format=json"

    assert client.get(f"{path}&{query}").headers["Cache-Control"] == "no-store"
    assert client.get(path).headers["Cache-Control"] != "no-store"


@pytest.mark.usefixtures("with_chrome")
def test_a_picture_is_kept_unless_one_asks_for_a_new_one(client: FlaskClient) -> None:
    path = "/api/packages/flask/chart/system?theme=dark"
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"].startswith("public, max-age=")
    assert (again.status_code, again.data) == (304, b"")
    for bypass in ("nocache=1", "cache=False"):
        fresh = client.get(f"{path}&{bypass}")
        assert (fresh.status_code, fresh.headers["Cache-Control"]) == (200, "no-store")
        assert '"render"' in fresh.headers["RateLimit-Policy"]
    assert client.get(f"{path}&nocache=0&cache=true").headers["ETag"] == first.headers["ETag"]


def test_without_a_browser_pictures_are_refused_and_all_else_works(database_url: str) -> None:
    site = create_app({"DATABASE_URL": database_url, "BROWSER_PATH": "/nowhere/chrome"})
    client = site.test_client()

    refused = client.get("/api/packages/flask/chart/system")

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "600")
    assert refused.get_json()["error"]["message"] == "This server has no browser to draw with."
    assert client.get("/api/packages/flask/chart/system?format=plotly").status_code == 200
    with site.app_context():
        db.engine.dispose()


def test_scripts_of_any_site_may_read_it(client: FlaskClient) -> None:
    headers = client.get("/api/packages/flask/chart/system?format=json").headers

    assert headers["Access-Control-Allow-Origin"] == "*"
