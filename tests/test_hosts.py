"""The host that a request is for, in links that leave the site."""

import re

import pytest
from bs4 import BeautifulSoup
from flask import Flask, Request
from werkzeug.test import TestResponse, create_environ, run_wsgi_app

from pypistats import ingest
from pypistats.views.forms import blank
from tests.fixed_source import DAY, FixedSource, package_day


@pytest.fixture(autouse=True)
def one_package(app: Flask) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))


def ask(app: Flask, path: str, host: str, **server: str) -> TestResponse:
    """Ask without werkzeug's client, which reads the host itself and fails for some."""
    environ = create_environ(path) | {"HTTP_HOST": host, **server}
    return TestResponse(*run_wsgi_app(app, environ, buffered=True), request=Request(environ))


def sitemap(app: Flask, host: str, **server: str) -> str:
    """Return where the sitemap is for who asks at a host."""
    return ask(app, "/robots.txt", host, **server).text.split("Sitemap: ")[1].strip()


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("stats.example", "http://stats.example"),
        ("stats.example.:80", "http://stats.example."),
        ("my_app:5000", "http://my_app:5000"),
        ("192.0.2.1:443", "http://192.0.2.1:443"),
        ("[2001:db8::1]:5000", "http://[2001:db8::1]:5000"),
        ("xn--mnchen-3ya.de", "http://xn--mnchen-3ya.de"),
        ("XN--strae-oqa.de", "http://XN--strae-oqa.de"),
        ("", "http://192.0.2.7:5000"),
    ],
)
def test_links_lead_to_the_host_as_it_was_asked_for(app: Flask, host: str, site: str) -> None:
    server = {"SERVER_NAME": "192.0.2.7", "SERVER_PORT": "5000"}

    assert sitemap(app, host, **server) == f"{site}/sitemap.xml"
    listed = ask(app, "/sitemap.xml", host, **server).text
    assert set(re.findall("<loc>(.*?)/sitemaps/", listed)) == {site}
    page = BeautifulSoup(ask(app, "/packages/flask", host, **server).text, "html.parser")
    assert page.select_one("link[rel=canonical]")["href"] == f"{site}/packages/flask"


def test_a_server_of_ipv6_is_linked_to_in_brackets(app: Flask) -> None:
    server = {"SERVER_NAME": "::1", "SERVER_PORT": "80"}

    assert sitemap(app, "", **server) == "http://[::1]/sitemap.xml"


def test_the_port_of_https_is_left_out_of_its_links(app: Flask) -> None:
    server = {"wsgi.url_scheme": "https"}

    assert sitemap(app, "stats.example:443", **server) == "https://stats.example/sitemap.xml"
    assert sitemap(app, "stats.example:80", **server) == "https://stats.example:80/sitemap.xml"


@pytest.mark.parametrize(
    "host",
    [
        "xn--",
        "xn--a",
        "a.xn--",
        "xn--99zz",
        "xn--.com:80",
        "a..b",
        ".",
        "one.example,two.example",
        "a b",
        "a/b",
        "user@host",
        'a"><script>',
        "m\xfcnchen.de",
        "[::1",
        "[]",
        "a:b",
        ":80",
        "a:123456",
        "a" * 64,
        "a." * 200 + "a",
    ],
)
def test_what_can_be_no_host_is_refused_in_the_shape_of_its_part_of_the_site(
    app: Flask, host: str
) -> None:
    pages = [ask(app, path, host) for path in ("/", "/robots.txt", "/packages/flask", "/nope")]
    api = ask(app, "/api/packages/flask/recent", host)

    assert [response.status_code for response in (*pages, api)] == [400] * 5
    assert {response.mimetype for response in pages} == {"text/html"}
    assert api.json["error"]["name"] == "Bad Request"


@pytest.mark.parametrize("name", ["info", "nothing"])
def test_what_a_page_has_in_a_blank_gets_into_no_link(app: Flask, name: str) -> None:
    assert ask(app, "/packages/flask", f"{blank(name)}.example").status_code == 400


def test_what_is_made_for_one_host_is_not_sent_to_another(app: Flask) -> None:
    for host in ("one.example", "two.example"):
        page = BeautifulSoup(ask(app, "/packages/flask", host).text, "html.parser")

        assert page.select_one("link[rel=canonical]")["href"] == f"http://{host}/packages/flask"
