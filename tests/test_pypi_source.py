"""What PyPI's documents become: a server in PyPI's place, with good answers and bad ones."""

import datetime as dt
import gzip
from typing import Any

import orjson
import pytest

from pypistats.catalog import Link, PackageInfo
from pypistats.sources import SourceError
from pypistats.sources.pypi import PyPI
from pypistats.sources.web import Bounds
from tests.scripted_server import Script, ScriptedServer, answer, cut, drip, hang

BOUNDS = Bounds(total=3, size=10_000, idle=1)
PROJECT = "/pypi/flask/json"

FLASK = {
    "info": {
        "author": None,
        "author_email": "",
        "maintainer": None,
        "maintainer_email": "Pallets <contact@palletsprojects.com>",
        "classifiers": ["Framework :: Flask"],
        "home_page": None,
        "license": None,
        "license_expression": "BSD-3-Clause",
        "project_urls": {
            "Documentation": "https://flask.palletsprojects.com/",
            "Source": "https://github.com/pallets/flask/",
        },
        "requires_dist": [
            "blinker>=1.9.0",
            "click>=8.1.3",
            "importlib-metadata>=3.6.0; python_version < '3.10'",
            "asgiref>=3.2; extra == 'async'",
            "python-dotenv; extra == 'dotenv'",
            "Jinja2>=3.1.2",
        ],
        "requires_python": ">=3.9",
        "summary": "A simple framework for building complex web applications.",
        "version": "3.1.2",
    },
    "releases": {
        "0.1": [{"upload_time_iso_8601": "2010-04-16T14:32:11.123456Z"}],
        "2.0": [],
        "3.1.2": [
            {"upload_time_iso_8601": "2025-08-20T00:00:01Z"},
            {"upload_time_iso_8601": "2025-08-19T21:03:21.193839Z"},
        ],
    },
    "urls": [],
}

EMPTY = PackageInfo("", "", "", "", "", None, (), {}, (), ())


def info(**fields: Any) -> dict[str, Any]:
    return {"info": fields}


def read(server: ScriptedServer, document: object) -> PackageInfo | None:
    """Return what the source makes of a document."""
    server.scripts[PROJECT] = answer(orjson.dumps(document))
    return pypi(server).fetch_project("flask")


def pypi(server: ScriptedServer) -> PyPI:
    return PyPI(server.url, project_bounds=BOUNDS, names_bounds=BOUNDS)


def test_a_project_is_read(scripted: ScriptedServer) -> None:
    assert read(scripted, FLASK) == PackageInfo(
        summary="A simple framework for building complex web applications.",
        author="Pallets",
        license="BSD-3-Clause",
        requires_python=">=3.9",
        latest_version="3.1.2",
        released=dt.date(2025, 8, 19),
        links=(
            Link("Documentation", "https://flask.palletsprojects.com/"),
            Link("Source", "https://github.com/pallets/flask/"),
        ),
        releases={"3.1.2": dt.date(2025, 8, 19), "0.1": dt.date(2010, 4, 16)},
        required=("blinker", "click", "importlib-metadata", "jinja2"),
        optional=("asgiref", "python-dotenv"),
    )
    assert scripted.requests[0].headers["User-Agent"].startswith("pypistats/")


@pytest.mark.parametrize(
    "document",
    [
        info(),
        info(summary=1, author=[], license={}, version=None, requires_dist="x", project_urls=[1]),
        info(home_page=7, requires_dist=[None, 3, "not a requirement!", ""], classifiers=[1, None]),
        info(requires_dist=[f"a; {'(' * 2_000}os_name == 'nt'{')' * 2_000}"]),
        info() | {"releases": {"1.0": None, "1.1": [None, {}, {"upload_time_iso_8601": "soon"}]}},
        info() | {"releases": [1]},
    ],
)
def test_fields_of_another_form_are_left_out(
    scripted: ScriptedServer, document: dict[str, Any]
) -> None:
    assert read(scripted, document) == EMPTY


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "ftp://example.org/",
        "//example.org/",
        "https://",
        "https:///path",
        "http://[::1",
        "https://example.org/\n<script>",
        "https://example.org/ x",
        "https://example.org/" + "x" * 1_000,
        "UNKNOWN",
        7,
        None,
    ],
)
def test_only_links_to_the_web_are_kept(scripted: ScriptedServer, url: object) -> None:
    good = "https://example.org/?a=1#b"

    found = read(scripted, info(home_page=url, project_urls={"Bad": url, "Good": good}))

    assert found is not None
    assert found.links == (Link("Good", good),)


def test_an_address_is_linked_once_and_there_are_not_many(scripted: ScriptedServer) -> None:
    home = "https://example.org/"
    many = {f"Link {number}": f"{home}{number}" for number in range(50)}

    found = read(scripted, info(home_page=home, project_urls={"A": home, "B": home, **many}))

    assert found is not None
    assert found.links[:2] == (Link("A", home), Link("Link 0", f"{home}0"))
    assert len(found.links) == 20


def test_texts_are_short_and_on_one_line(scripted: ScriptedServer) -> None:
    summary = "a\x00b\n\nc\u202ed " + "x" * 900

    found = read(scripted, info(summary=summary, license="MIT\r\n", author="A" * 300))

    assert found is not None
    assert found.summary.startswith("a b c d xxx")
    assert (len(found.summary), found.summary[-1]) == (500, "…")
    assert (found.license, len(found.author)) == ("MIT", 200)


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({"author": "Kenneth Reitz", "author_email": "me@kennethreitz.org"}, "Kenneth Reitz"),
        ({"author": "me@example.org"}, ""),
        ({"author_email": "me@example.org", "maintainer": "Somebody"}, "Somebody"),
        ({"author_email": "Ann A <a@x.org>, Bob B <b@x.org>"}, "Ann A, Bob B"),
    ],
)
def test_authors_are_names_and_no_addresses(
    scripted: ScriptedServer, fields: dict[str, str], author: str
) -> None:
    found = read(scripted, info(**fields))

    assert found is not None
    assert found.author == author


@pytest.mark.parametrize(
    ("fields", "license_name"),
    [
        ({"license": "MIT", "classifiers": ["License :: OSI Approved :: BSD License"]}, "MIT"),
        ({"classifiers": ["License :: OSI Approved :: BSD License"]}, "BSD License"),
        ({"license": "text " * 99, "classifiers": ["License :: Public Domain"]}, "Public Domain"),
        ({"license": "text " * 99}, ""),
    ],
)
def test_a_licence_is_its_short_name(
    scripted: ScriptedServer, fields: dict[str, Any], license_name: str
) -> None:
    found = read(scripted, info(**fields))

    assert found is not None
    assert found.license == license_name


def test_a_dependency_of_some_extra_alone_is_optional(scripted: ScriptedServer) -> None:
    texts = [
        "a ; extra == 'x' and python_version > '3'",
        "b ; platform_version == 'extra'",
        "c ; 'x' == extra",
        "D.d[speed] @ https://example.org/d.whl",
        "e ; extra == 'x'",
        "e",
    ]

    found = read(scripted, info(requires_dist=texts))

    assert found is not None
    assert found.required == ("b", "d-d", "e")
    assert found.optional == ("a", "c")


def test_a_project_that_pypi_does_not_know_is_none(scripted: ScriptedServer) -> None:
    assert pypi(scripted).fetch_project("flask") is None


FAULTS = [
    pytest.param(answer(b"", 500), "status 500", id="500"),
    pytest.param(answer(b"later", 503), "status 503: later", id="503"),
    pytest.param(answer(b"<html>"), "gives no project: <html>", id="malformed"),
    pytest.param(answer(b"[]"), "gives no project", id="list"),
    pytest.param(answer(b'{"info": 1}'), "gives no project", id="no-info"),
    pytest.param(answer(b'{"info": {"summary": "\\ud800"}}'), "no project", id="surrogate"),
    pytest.param(answer(b"x" * 10_001), "more than 10,000 bytes", id="huge"),
    pytest.param(
        answer(gzip.compress(b" " * 10_000_000), Content_Encoding="gzip"),
        "more than 10,000 bytes",
        id="bomb",
    ),
    pytest.param(answer(b"", 302, Location="http://127.0.0.1:1/"), "another server", id="away"),
    pytest.param(answer(b"", 302, Location="file:///etc/passwd"), "another server", id="file"),
    pytest.param(answer(b"", 301, Location=PROJECT), "more than 3 times", id="loop"),
    pytest.param(hang, "timed out", id="hang"),
    pytest.param(drip, "more than 3 s", id="drip"),
    pytest.param(cut, "does not answer", id="cut"),
]


@pytest.mark.parametrize(("fault", "fact"), FAULTS)
def test_a_bad_answer_is_a_source_error(scripted: ScriptedServer, fault: Script, fact: str) -> None:
    scripted.scripts[PROJECT] = fault

    with pytest.raises(SourceError, match=fact) as caught:
        pypi(scripted).fetch_project("flask")

    assert len(str(caught.value)) < 500


def test_a_redirect_within_pypi_is_followed(scripted: ScriptedServer) -> None:
    scripted.scripts[PROJECT] = answer(b"", 301, Location="/pypi/Flask/json")
    scripted.scripts["/pypi/Flask/json"] = answer(orjson.dumps(info(summary="here")))

    found = pypi(scripted).fetch_project("flask")

    assert found == EMPTY._replace(summary="here")


def test_the_names_are_read_in_normal_form(scripted: ScriptedServer) -> None:
    names = ["Flask", "zope.interface", "a_b", "-bad-", "x" * 129]
    projects = [{"_last-serial": 1, "name": name} for name in names]
    scripted.scripts["/simple/"] = answer(
        orjson.dumps({"meta": {"api-version": "1.3"}, "projects": projects})
    )

    assert list(pypi(scripted).fetch_names()) == ["flask", "zope-interface", "a-b"]
    assert scripted.requests[0].headers["Accept"] == "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize(
    "fault", [answer(b"", 500), answer(b"<html>"), answer(b"", 404), hang, cut, drip]
)
def test_a_bad_list_of_names_is_a_source_error(scripted: ScriptedServer, fault: Script) -> None:
    scripted.scripts["/simple/"] = fault

    with pytest.raises(SourceError):
        list(pypi(scripted).fetch_names())
