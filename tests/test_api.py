"""The API, document for document."""

import datetime as dt
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day
from tests.statements import counted

DAY_BEFORE = DAY - dt.timedelta(days=1)

FLASK = package_day(
    "flask",
    mirrored=2,
    python_minor={"3.12": 6, "2.7": 3, "null": 1},
    system={"Linux": 5, "Windows": 2, "other": 2, "null": 1},
    installer={"pip": 9, "uv": 1, "bandersnatch": 2},
)
FLASK_BEFORE = package_day("flask", DAY_BEFORE, python_minor={"3.9": 4}, system={"Linux": 4})


@pytest.fixture(autouse=True)
def two_days(app: Flask) -> None:
    """Load two days: flask on both, zope-interface on the second, mirrors only for `mirrored`."""
    mirrored = package_day("mirrored", downloads=0, mirrored=5)
    with app.app_context():
        ingest.ingest_day(
            DAY, FixedSource(FLASK, package_day("zope-interface", downloads=1), mirrored)
        )
        ingest.ingest_day(DAY_BEFORE, FixedSource(FLASK_BEFORE))


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    response = client.get(f"/api/packages/{path}")
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    return response.json


def rows(*values: tuple[str, dt.date, int]) -> list[dict[str, object]]:
    return [
        {"category": category, "date": day.isoformat(), "downloads": downloads}
        for category, day, downloads in values
    ]


def test_recent_has_all_periods_without_mirrors(client: FlaskClient) -> None:
    assert get(client, "flask/recent") == {
        "package": "flask",
        "type": "recent_downloads",
        "data": {"last_day": 10, "last_week": 14, "last_month": 14},
    }


@pytest.mark.parametrize(("period", "downloads"), [("day", 10), ("week", 14), ("month", 14)])
def test_recent_has_one_period_when_asked(client: FlaskClient, period: str, downloads: int) -> None:
    assert get(client, f"flask/recent?period={period}")["data"] == {f"last_{period}": downloads}


def test_recent_of_several_packages_is_one_document(client: FlaskClient) -> None:
    names = "Zope.Interface,FLASK,%20Nothing%20,__all__,flask,%00,a%25b,,mirrored"

    assert get(client, f"{names}/recent") == {
        "type": "recent_downloads",
        "data": {
            "zope-interface": {"last_day": 1, "last_week": 1, "last_month": 1},
            "flask": {"last_day": 10, "last_week": 14, "last_month": 14},
            "__all__": {"last_day": 11, "last_week": 15, "last_month": 15},
            "mirrored": {"last_day": 0, "last_week": 0, "last_month": 0},
        },
        "unknown": ["nothing", "\0", "a%b"],
    }


def test_recent_of_several_packages_has_one_period_when_asked(client: FlaskClient) -> None:
    document = get(client, "flask,zope.interface/recent?period=week")

    assert list(document["data"].items()) == [
        ("flask", {"last_week": 14}),
        ("zope-interface", {"last_week": 1}),
    ]


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("flask,zope-interface/recent", "Flask,,Zope.Interface,FLASK/recent?utm=1"),
        ("flask/python_minor?version=null", "FLASK/python_minor?version=NULL"),
    ],
)
def test_other_spellings_are_one_answer(
    app: Flask, client: FlaskClient, path: str, other: str
) -> None:
    first = get(client, path)

    with counted(app) as statements:
        assert get(client, other) == first
    assert statements == []


def test_a_hundred_packages_are_answered_by_one_statement_and_no_more(
    app: Flask, client: FlaskClient
) -> None:
    hundred = [f"p{n}" for n in range(99)] + ["flask"]
    with counted(app) as statements:
        # A name in two spellings counts once.
        document = get(client, f"{','.join(hundred)},Flask/recent")
    error = get(client, f"{','.join(hundred)},p99/recent", 400)["error"]

    assert (list(document["data"]), document["unknown"]) == (["flask"], hundred[:-1])
    assert len(statements) == 1
    assert error["parameter"] == "package"
    assert error["message"] == "package takes 1 to 100 names with commas between."


def test_commas_without_names_are_refused(client: FlaskClient) -> None:
    assert get(client, ",%20,/recent", 400)["error"]["parameter"] == "package"


def test_overall_has_both_categories(client: FlaskClient) -> None:
    assert get(client, "flask/overall") == {
        "package": "flask",
        "type": "overall_downloads",
        "data": rows(
            ("with_mirrors", DAY_BEFORE, 4),
            ("with_mirrors", DAY, 12),
            ("without_mirrors", DAY_BEFORE, 4),
            ("without_mirrors", DAY, 10),
        ),
    }


@pytest.mark.parametrize(
    ("mirrors", "category", "counts"),
    [("true", "with_mirrors", (4, 12)), ("false", "without_mirrors", (4, 10))],
)
def test_overall_has_one_category_when_asked(
    client: FlaskClient, mirrors: str, category: str, counts: tuple[int, int]
) -> None:
    assert get(client, f"flask/overall?mirrors={mirrors}")["data"] == rows(
        (category, DAY_BEFORE, counts[0]), (category, DAY, counts[1])
    )


def test_python_major_is_summed_from_the_minor_versions(client: FlaskClient) -> None:
    assert get(client, "flask/python_major") == {
        "package": "flask",
        "type": "python_major_downloads",
        "data": rows(("2", DAY, 3), ("3", DAY_BEFORE, 4), ("3", DAY, 6), ("null", DAY, 1)),
    }


def test_python_minor_is_a_series_by_version(client: FlaskClient) -> None:
    assert get(client, "flask/python_minor") == {
        "package": "flask",
        "type": "python_minor_downloads",
        "data": rows(("2.7", DAY, 3), ("3.12", DAY, 6), ("3.9", DAY_BEFORE, 4), ("null", DAY, 1)),
    }


def test_system_is_a_series_by_system(client: FlaskClient) -> None:
    assert get(client, "flask/system") == {
        "package": "flask",
        "type": "system_downloads",
        "data": rows(
            ("Linux", DAY_BEFORE, 4),
            ("Linux", DAY, 5),
            ("Windows", DAY, 2),
            ("null", DAY, 1),
            ("other", DAY, 2),
        ),
    }


def test_installer_counts_mirrors_too(client: FlaskClient) -> None:
    assert get(client, "flask/installer") == {
        "package": "flask",
        "type": "installer_downloads",
        "data": rows(
            ("bandersnatch", DAY, 2), ("pip", DAY_BEFORE, 4), ("pip", DAY, 9), ("uv", DAY, 1)
        ),
    }


def test_summary_counts_nothing_twice(client: FlaskClient) -> None:
    assert get(client, "flask/summary") == {
        "package": "flask",
        "type": "summary",
        "totals": {
            "overall": 14,
            "system": {"Linux": 9, "Windows": 2, "other": 2, "null": 1},
            "python_major": {"3": 10, "2": 3, "null": 1},
            "python_minor": {"3.12": 6, "3.9": 4, "2.7": 3, "null": 1},
        },
    }


@pytest.mark.parametrize(
    ("path", "categories"),
    [
        ("python_major?version=3", {"3"}),
        ("python_major?version=NULL", {"null"}),
        ("python_minor?version=2.7", {"2.7"}),
        ("python_minor?version=null", {"null"}),
        ("system?os=linux", {"Linux"}),
        ("system?os=Linux", {"Linux"}),
        ("system?os=other", {"other"}),
        ("system?os=null", {"null"}),
        ("overall?mirrors=False", {"without_mirrors"}),
    ],
)
def test_a_filter_leaves_its_category_whatever_the_case(
    client: FlaskClient, path: str, categories: set[str]
) -> None:
    assert {point["category"] for point in get(client, f"flask/{path}")["data"]} == categories


@pytest.mark.parametrize(
    "path", ["python_minor?version=3.99", "python_major?version=9", "system?os=Darwin"]
)
def test_a_category_that_could_be_and_has_no_downloads_is_empty(
    client: FlaskClient, path: str
) -> None:
    assert get(client, f"flask/{path}")["data"] == []


@pytest.mark.parametrize(
    ("path", "parameter", "accepts"),
    [
        ("recent?period=year", "period", "day, week, month"),
        ("recent?period=", "period", "day, week, month"),
        ("recent?period=day%00", "period", "day, week, month"),
        ("overall?mirrors=maybe", "mirrors", "true, false"),
        ("python_major?version=abc", "version", "a major version such as 3, or null"),
        ("python_major?version=3.12", "version", "a major version such as 3, or null"),
        ("python_major?version=%D9%A3", "version", "a major version such as 3, or null"),
        ("python_minor?version=3", "version", "a minor version such as 3.12, or null"),
        ("python_minor?version=3.%25", "version", "a minor version such as 3.12, or null"),
        ("system?os=BeOS", "os", "Windows, Linux, Darwin, other, null"),
    ],
)
def test_a_value_that_can_not_be_is_refused_by_its_parameter(
    client: FlaskClient, path: str, parameter: str, accepts: str
) -> None:
    error = get(client, f"flask/{path}", 400)["error"]

    assert error["parameter"] == parameter
    assert error["message"] in (
        f"{parameter} takes {accepts}.",
        f"{parameter} takes one of {accepts}.",
    )


ENDPOINTS = ("recent", "overall", "python_major", "python_minor", "system", "installer", "summary")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "name",
    ["unknown", "f", "flas%", "%25", "_", "a%00b", "%FF", "x" * 5_000, "'; drop table daily --"],
)
def test_an_unknown_package_is_not_found(client: FlaskClient, endpoint: str, name: str) -> None:
    error = get(client, f"{name}/{endpoint}", 404)["error"]

    assert error | {"message": ""} == {
        "status": 404,
        "name": "Not Found",
        "message": "",
        "parameter": None,
    }
    assert len(error["message"]) < 300


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("name", ["Zope.Interface", "zope_interface", "ZOPE--interface"])
def test_any_spelling_works_in_place(client: FlaskClient, endpoint: str, name: str) -> None:
    assert get(client, f"{name}/{endpoint}") == get(client, f"zope-interface/{endpoint}")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_unknown_parameters_are_ignored(client: FlaskClient, endpoint: str) -> None:
    assert get(client, f"flask/{endpoint}?utm=1&nul=%00") == get(client, f"flask/{endpoint}")


def test_all_packages_is_a_package(client: FlaskClient) -> None:
    assert get(client, "__all__/recent")["data"] == {
        "last_day": 11,
        "last_week": 15,
        "last_month": 15,
    }
    assert get(client, "__all__/overall?mirrors=true")["data"] == rows(
        ("with_mirrors", DAY_BEFORE, 4), ("with_mirrors", DAY, 18)
    )


def test_a_day_without_downloads_has_no_row(client: FlaskClient) -> None:
    assert get(client, "zope-interface/overall?mirrors=false")["data"] == rows(
        ("without_mirrors", DAY, 1)
    )


def test_a_package_that_only_mirrors_took_has_zero_recent_downloads(client: FlaskClient) -> None:
    assert get(client, "mirrored/recent?period=day")["data"] == {"last_day": 0}
    assert get(client, "mirrored/overall")["data"] == rows(("with_mirrors", DAY, 5))
    assert get(client, "mirrored/system")["data"] == []
    assert get(client, "mirrored/installer")["data"] == rows(("bandersnatch", DAY, 5))
    assert get(client, "mirrored/summary")["totals"]["overall"] == 0


def test_series_reach_back_as_far_as_retention_says(app: Flask, client: FlaskClient) -> None:
    for days in (179, 180):
        day = DAY - dt.timedelta(days=days)
        with app.app_context():
            ingest.ingest_day(day, FixedSource(package_day("flask", day)))

    dates = [point["date"] for point in get(client, "flask/overall?mirrors=true")["data"]]

    assert dates[0] == (DAY - dt.timedelta(days=179)).isoformat()


def test_anyone_may_read_the_api_from_a_script(client: FlaskClient) -> None:
    for path in ("flask/recent", "unknown/recent", "flask/recent?period=year", "flask/nothing"):
        headers = client.get(f"/api/packages/{path}").headers
        assert headers["Access-Control-Allow-Origin"] == "*"
        # Among them are Retry-After and RateLimit, which scripts don't see otherwise.
        assert headers["Access-Control-Expose-Headers"] == "*"


def test_a_script_may_send_a_token_and_whatever_else(client: FlaskClient) -> None:
    asked = {
        "Origin": "https://other.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    response = client.options("/api/packages/flask/recent", headers=asked)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    # A star does not stand for Authorization.
    assert response.headers["Access-Control-Allow-Headers"] == "*, Authorization"


def test_head_and_options_work(client: FlaskClient) -> None:
    head = client.head("/api/packages/flask/recent")
    options = client.options("/api/packages/flask/recent")

    assert (head.status_code, head.text) == (200, "")
    assert head.content_length == len(client.get("/api/packages/flask/recent").data)
    assert options.status_code == 200
    assert sorted(options.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]
    assert options.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"


def test_a_websocket_is_not_opened_for_who_asks_for_one(client: FlaskClient) -> None:
    asked = {"Connection": "Upgrade", "Upgrade": "websocket"}

    response = client.get("/api/packages/flask/recent", headers=asked)

    assert (response.status_code, response.get_json()["package"]) == (200, "flask")


def test_another_method_is_refused_in_the_apis_shape(client: FlaskClient) -> None:
    response = client.post("/api/packages/flask/recent")

    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]
    assert response.get_json()["error"]["name"] == "Method Not Allowed"


@pytest.mark.parametrize(
    "path", ["/api/packages", "/api/nothing", "/api/packages//recent", "/api/packages/"]
)
def test_an_unknown_address_is_not_found_in_the_apis_shape(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.get_json()["error"]["status"] == 404
