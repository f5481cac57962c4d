"""What may be kept by whom and for how long, on every route, and asking whether it still holds."""

import datetime as dt
import email.utils
import re
from collections.abc import Iterator

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.exceptions import default_exceptions
from werkzeug.test import TestResponse, create_environ, run_wsgi_app

from pypistats import ingest, render
from pypistats.encodings import compress, is_compressible
from pypistats.extensions import db
from pypistats.front import UNTIL_LATE_DATA, _target, until_data
from tests.fixed_source import DAY, FixedSource, package_day
from tests.front_time import FrontTime
from tests.made import Maker, app_with, bump, let_an_hour_pass

KEPT = "until the next data"
FOREVER = "public, max-age=31536000, immutable"
HOUR = "public, max-age=3600, s-maxage=3600"
MOMENT = "public, max-age=60, s-maxage=60"
ASK = "no-cache"
NEVER = "no-store"

ROUTES = {
    "/": KEPT,
    "/about": KEPT,
    "/faqs": KEPT,
    "/api": KEPT,
    "/openapi.yaml": KEPT,
    "/search?q=fl": KEPT,
    "/top": KEPT,
    "/compare?packages=flask,requests": KEPT,
    "/packages/flask": KEPT,
    "/robots.txt": KEPT,
    "/sitemap.xml": KEPT,
    "/sitemaps/pages.xml": KEPT,
    "/sitemaps/packages-0.xml": KEPT,
    "/site.webmanifest": KEPT,
    "/api/search?q=fl": KEPT,
    "/api/top?format=csv": KEPT,
    "/api/compare?packages=flask,requests": KEPT,
    "/api/compare?packages=flask,requests&format=csv": KEPT,
    "/api/compare?packages=flask,requests&format=plotly": KEPT,
    "/api/compare?packages=flask,requests&format=png": KEPT,
    "/api/compare?packages=flask,requests&format=svg": KEPT,
    "/api/compare?packages=flask,requests&nocache=1": NEVER,
    "/api/packages/flask/recent": KEPT,
    "/api/packages/flask,requests/recent": KEPT,
    "/api/packages/flask,unknown/recent": KEPT,
    "/api/packages/flask/overall?mirrors=true": KEPT,
    "/api/packages/flask/python_major": KEPT,
    "/api/packages/flask/python_minor": KEPT,
    "/api/packages/flask/system": KEPT,
    "/api/packages/flask/installer": KEPT,
    "/api/packages/flask/summary": KEPT,
    "/api/packages/flask/badge.json": KEPT,
    "/api/packages/flask/chart/system": KEPT,
    "/api/packages/flask/chart/system?format=csv": KEPT,
    "/api/packages/flask/chart/system?format=json": KEPT,
    "/api/packages/flask/chart/system?format=plotly": KEPT,
    "/api/packages/flask/chart/system?format=svg": KEPT,
    "/api/packages/flask/chart/system?nocache=1": NEVER,
    "/badge/flask.svg": KEPT,
    "/status": MOMENT,
    "/api/status": MOMENT,
    "/api/": HOUR,
    "/search/flask": HOUR,
    "/favicon.ico": HOUR,
    "/packages/Flask": HOUR,
    "/static/site.css": ASK,
    "/health": NEVER,
    "/ready": NEVER,
    "/nothing": MOMENT,
    "/packages/unknown": MOMENT,
    "/search?q=%25": MOMENT,
    "/api/nothing": MOMENT,
    "/api/packages/unknown/recent": MOMENT,
    "/api/packages/flask/recent?period=year": MOMENT,
    "/badge/unknown.svg": MOMENT,
    "/static/nothing.css": MOMENT,
}
"""How long the answer of each route may be kept, an address or more for each rule."""

KEPT_PATHS = [path for path, rule in ROUTES.items() if rule == KEPT]

CACHE_CONTROL = re.compile(
    r"public, max-age=(\d+), s-maxage=(\d+), stale-while-revalidate=600, stale-if-error=259200"
)


@pytest.fixture(autouse=True)
def one_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load a day an hour ago; what a browser would draw takes no time."""
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask"), package_day("requests")))
    let_an_hour_pass(app)
    monkeypatch.setattr(render, "render_image", lambda *_, **__: b"<svg/>" * 1_000)


def changed_at(app: Flask) -> dt.datetime:
    current = app.extensions["answers"].keeper.watch.current()
    assert current is not None
    moment: dt.datetime = current.whole.changed_at
    return moment


@pytest.mark.usefixtures("front_time")
@pytest.mark.parametrize(("path", "rule"), ROUTES.items())
def test_each_route_says_how_long_its_answer_may_be_kept(
    client: FlaskClient, path: str, rule: str
) -> None:
    response = client.get(path)

    if rule == KEPT:
        assert kept_for(response) == (300, 12 * 3_600)
    else:
        assert response.headers["Cache-Control"] == rule


def kept_for(response: TestResponse) -> tuple[int, int]:
    """Return for how many seconds a browser and a shared cache may keep an answer."""
    header = response.headers["Cache-Control"]
    found = CACHE_CONTROL.fullmatch(header)
    assert found, header
    return int(found[1]), int(found[2])


def test_a_page_names_files_that_are_kept_for_ever(client: FlaskClient) -> None:
    named = set(re.findall(r'/static/[^" ]+', client.get("/").text))

    assert len(named) > 1
    assert {client.get(path).headers["Cache-Control"] for path in named} == {FOREVER}


@pytest.mark.parametrize("status", [405, 429, 500, 503])
def test_what_is_refused_for_now_is_not_kept(site: FlaskClient, maker: Maker, status: int) -> None:
    maker.error = default_exceptions[status]()

    response = site.get("/made/flask")

    assert (response.status_code, response.headers["Cache-Control"]) == (status, NEVER)


def test_the_time_to_keep_an_answer_ends_with_the_next_data(
    app: Flask, client: FlaskClient, front_time: FrontTime
) -> None:
    def told(now: str) -> tuple[int, int]:
        front_time.now = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
        return kept_for(client.get("/faqs"))

    assert told("2026-03-16 15:00") == (300, 12 * 3_600)
    assert told("2026-03-17 02:57:59") == (180, 180)
    assert told("2026-03-17 02:58:00") == (120, 120)
    assert told("2026-03-17 03:00") == (300, UNTIL_LATE_DATA)
    with app.app_context():
        next_day = DAY + dt.timedelta(days=1)
        ingest.ingest_day(next_day, FixedSource(package_day("flask", next_day)))
    assert told("2026-03-17 03:00") == (300, 24 * 3_600)


def test_after_a_minute_an_address_is_flasks_again(
    site: FlaskClient, front_time: FrontTime
) -> None:
    asked = []
    site.application.before_request(lambda: asked.append(request.path))

    for seconds, times in ((0, 1), (59, 1), (1, 2), (59, 2)):
        front_time.wait(seconds)
        assert site.get("/made/flask").json == {"made": 1}
        assert len(asked) == times


def test_no_route_is_left_out(app: Flask) -> None:
    adapter = app.url_map.bind("localhost")
    paths = [path.partition("?")[0] for path in ROUTES]
    tried = {adapter.match(path)[0] for path in paths if adapter.test(path)}

    assert tried == {rule.endpoint for rule in app.url_map.iter_rules()}


@pytest.mark.parametrize("path", KEPT_PATHS)
def test_a_kept_answer_tells_its_version_and_when_its_data_came(
    app: Flask, client: FlaskClient, path: str
) -> None:
    first, second = client.get(path), client.get(path)

    assert dt.datetime.now(dt.UTC) - changed_at(app) > dt.timedelta(minutes=59)
    assert re.fullmatch(r'"[0-9a-f]{24}"', first.headers["ETag"])
    assert first.last_modified == changed_at(app).replace(microsecond=0)
    assert first.data == second.data
    assert dict(first.headers) | limits(second) == dict(second.headers)


def limits(response: TestResponse) -> dict[str, str]:
    """Return the headers that tell a client what remains to it."""
    return {name: value for name, value in response.headers if name.startswith("RateLimit")}


@pytest.mark.parametrize("path", KEPT_PATHS)
@pytest.mark.parametrize("warm", [False, True])
def test_who_has_it_gets_no_body(client: FlaskClient, path: str, *, warm: bool) -> None:
    etag = client.get(path).headers["ETag"]
    # Another address with the same answer isn't known to the layer before Flask.
    address = path if warm else f"{path}{'&' if '?' in path else '?'}utm=1"

    response = client.get(address, headers={"If-None-Match": etag})

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == etag
    assert CACHE_CONTROL.fullmatch(response.headers["Cache-Control"])
    assert {"Content-Type", "Content-Length", "Content-Encoding"}.isdisjoint(
        response.headers.keys()
    )


@pytest.mark.parametrize("path", KEPT_PATHS)
def test_head_has_the_headers_and_no_body(client: FlaskClient, path: str) -> None:
    get, head = client.get(path), client.head(path)

    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) | limits(get) == dict(get.headers) | limits(get)


@pytest.mark.parametrize("path", KEPT_PATHS)
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
def test_what_is_long_is_compressed_and_varies_by_it(
    client: FlaskClient, path: str, encoding: str
) -> None:
    plain = client.get(path)
    response = client.get(path, headers={"Accept-Encoding": encoding})

    if not is_compressible(plain.mimetype, len(plain.data)):
        assert (response.data, response.content_encoding) == (plain.data, None)
        assert "Vary" not in response.headers
        return
    assert (response.content_encoding, response.data) == (encoding, compress(plain.data, encoding))
    assert response.headers["ETag"] == plain.headers["ETag"][:-1] + f'-{encoding}"'
    assert response.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert response.content_length == len(response.data) < len(plain.data)


@pytest.mark.parametrize("path", ["/status", "/nothing", "/packages/unknown", "/search?q=%25"])
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
def test_pages_that_are_not_kept_are_compressed_too(
    client: FlaskClient, path: str, encoding: str
) -> None:
    plain = client.get(path)
    response = client.get(path, headers={"Accept-Encoding": encoding})

    assert (response.content_encoding, response.data) == (encoding, compress(plain.data, encoding))
    assert response.content_length == len(response.data) < len(plain.data)
    assert response.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert plain.content_encoding is None


@pytest.mark.parametrize("path", ["/status", "/api/status"])
@pytest.mark.parametrize("encoding", ["", "br"])
def test_the_status_is_not_sent_again_to_who_has_it(
    client: FlaskClient, path: str, encoding: str
) -> None:
    accepted = {"Accept-Encoding": encoding}
    etag = client.get(path, headers=accepted).headers["ETag"]

    again = client.get(path, headers=accepted | {"If-None-Match": etag})
    changed = client.get(path, headers=accepted | {"If-None-Match": '"other"'})

    assert (again.status_code, again.data) == (304, b"")
    assert (again.headers["ETag"], again.headers["Cache-Control"]) == (etag, MOMENT)
    assert changed.status_code == 200


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def site(app: Flask, maker: Maker) -> Iterator[FlaskClient]:
    """Give a client of a site with /made/<package>."""
    site = app_with(maker, app.config["DATABASE_URL"])
    yield site.test_client()
    with site.app_context():
        db.engine.dispose()


def etag_of(client: FlaskClient, accepted: str = "") -> str:
    return client.get("/faqs", headers={"Accept-Encoding": accepted}).headers["ETag"]


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),
        ("*", 304),
        ('"other", {etag}', 304),
        ('W/"other",W/{etag} , "more"', 304),
        ('"a, b", {etag}', 304),
        ('"other"', 200),
        ("{unquoted}", 200),
        ("{etag_of_gzip}", 200),
        ("", 200),
        ('nonsense, "', 200),
    ],
)
def test_if_none_match_compares_tags(client: FlaskClient, condition: str, status: int) -> None:
    etag = etag_of(client)
    header = condition.format(
        etag=etag, unquoted=etag.strip('"'), etag_of_gzip=etag_of(client, "gzip")
    )

    assert client.get("/faqs", headers={"If-None-Match": header}).status_code == status


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, 304), (1, 304), (3_600, 304), (-1, 200), (-86_400, 200)]
)
def test_if_modified_since_compares_times(client: FlaskClient, seconds: int, status: int) -> None:
    modified = client.get("/faqs").last_modified
    assert modified is not None
    since = email.utils.format_datetime(modified + dt.timedelta(seconds=seconds), usegmt=True)

    assert client.get("/faqs", headers={"If-Modified-Since": since}).status_code == status


@pytest.mark.parametrize("path", ["/faqs", "/status", "/static/site.css"])
@pytest.mark.parametrize(
    "since",
    [
        "",
        "yesterday",
        "Mon, 99 Foo 2026 00:00:00 GMT",
        "0",
        "Thu, 01 Jan 99999999999 00:00:00 GMT",
        "Thu, 99999999999 Jan 2026 00:00:00 GMT",
    ],
)
def test_a_time_that_can_not_be_is_left_aside(client: FlaskClient, path: str, since: str) -> None:
    for _ in range(2):
        assert client.get(path, headers={"If-Modified-Since": since}).status_code == 200


def test_tags_go_before_the_time(client: FlaskClient) -> None:
    response = client.get("/faqs")
    since = response.headers["Last-Modified"]
    etag = response.headers["ETag"]

    def status(tag: str, time: str) -> int:
        headers = {"If-None-Match": tag, "If-Modified-Since": time}
        return client.get("/faqs", headers=headers).status_code

    assert status('"other"', since) == 200
    assert status(etag, "Thu, 01 Jan 1970 00:00:00 GMT") == 304


def test_an_encoding_has_a_tag_of_its_own(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "gzip", "If-None-Match": etag_of(client, "gzip")}

    assert client.get("/faqs", headers=headers).status_code == 304
    assert client.get("/faqs", headers=headers | {"Accept-Encoding": "br"}).status_code == 200
    assert client.get("/faqs", headers=headers | {"Accept-Encoding": ""}).status_code == 200


def test_new_data_that_changes_nothing_leaves_the_tag_and_not_the_time(site: FlaskClient) -> None:
    before = site.get("/faqs")

    bump(site.application)

    after = site.get("/faqs", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 304
    assert after.last_modified is not None
    assert before.last_modified is not None
    assert after.last_modified >= before.last_modified


def test_a_package_of_its_own_has_its_own_time(site: FlaskClient) -> None:
    before = site.get("/made/flask"), site.get("/made/requests")

    bump(site.application, "flask")

    after = site.get("/made/flask"), site.get("/made/requests")
    assert after[0].headers["ETag"] != before[0].headers["ETag"]
    assert after[1].headers["Last-Modified"] == before[1].headers["Last-Modified"]


def test_no_other_method_is_answered_from_what_is_kept(client: FlaskClient) -> None:
    client.get("/faqs")

    refused = client.post("/faqs")
    assert (refused.status_code, refused.headers["Cache-Control"]) == (405, NEVER)
    assert client.options("/faqs").headers["Allow"]


def test_an_address_of_another_host_is_another_answer(client: FlaskClient) -> None:
    first, second = (
        client.get("/robots.txt", base_url=f"https://{host}/") for host in ("a.test", "b.test")
    )

    assert "https://a.test/sitemap.xml" in first.text
    assert "https://b.test/sitemap.xml" in second.text


@pytest.mark.parametrize(
    ("now", "last_day", "seconds"),
    [
        ("2026-03-16 02:00", "2026-03-14", 3_600),
        ("2026-03-16 02:59", "2026-03-14", 60),
        ("2026-03-16 00:00", "2026-03-15", 97_200),
        ("2026-03-16 03:00", "2026-03-14", UNTIL_LATE_DATA),
        ("2026-03-16 03:00", "2026-03-15", 86_400),
        ("2026-03-16 15:00", "2026-03-15", 43_200),
        ("2026-03-16 15:00", "2026-03-01", UNTIL_LATE_DATA),
        ("2026-03-16 02:00", "2026-03-13", UNTIL_LATE_DATA),
        ("2026-03-16 15:00", None, UNTIL_LATE_DATA),
    ],
)
def test_a_shared_cache_keeps_an_answer_until_the_next_data(
    now: str, last_day: str | None, seconds: int
) -> None:
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)

    assert until_data(moment, last_day and dt.date.fromisoformat(last_day)) == seconds


def test_a_server_may_leave_out_what_is_empty(app: Flask) -> None:
    environ = create_environ("/faqs")
    del environ["QUERY_STRING"]

    assert [run_wsgi_app(app, environ.copy())[1] for _ in range(2)] == ["200 OK"] * 2


def test_answers_of_one_kind_share_their_headers(app: Flask) -> None:
    def headers(name: str) -> dict[str, tuple[str, str]]:
        environ = create_environ(f"/api/packages/{name}/recent")
        _, _, sent = run_wsgi_app(app.wsgi_app, environ)
        assert sent["X-Content-Type-Options"] == "nosniff"
        _, prepared, _ = app.extensions["answers"].front._targets[_target(environ)]
        (variant,) = prepared._variants.values()
        return {header[0]: header for header in variant.headers}

    flask, requests = headers("flask"), headers("requests")

    shared = {name for name in flask if flask[name] is requests.get(name)}
    assert shared >= {"Content-Type", "X-Content-Type-Options"}
    assert flask["ETag"] != requests["ETag"]
