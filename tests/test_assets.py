"""The static files: addresses made from the content, kept for ever, compressed."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
import zstandard
from flask import Flask, url_for
from flask.testing import FlaskClient

from pypistats.assets import register_assets
from pypistats.encodings import decompress


def unzstd(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(body)


CSS = b"body { color: red }\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "site.css").write_bytes(CSS)
    (tmp_path / "js" / "page.min.js").write_bytes(b"1")
    (tmp_path / "icon.png").write_bytes(b"\x89PNG" + bytes(1_000))
    return tmp_path


@pytest.fixture
def files(folder: Path) -> Iterator[FlaskClient]:
    app = Flask("files", static_folder=None)
    register_assets(app, folder)
    with app.test_request_context():
        yield app.test_client()


def address(name: str) -> str:
    return url_for("static", filename=name)


@pytest.mark.usefixtures("files")
def test_an_address_has_a_fingerprint_of_the_content(folder: Path) -> None:
    before = address("js/page.min.js")
    (folder / "js" / "page.min.js").write_bytes(b"2")
    changed = Flask("changed", static_folder=None)
    register_assets(changed, folder)

    with changed.test_request_context():
        after = address("js/page.min.js")

    assert re.fullmatch(r"/static/js/page\.min\.[0-9a-f]{12}\.js", before)
    assert before != after


def test_a_fingerprinted_file_is_kept_for_ever(files: FlaskClient) -> None:
    response = files.get(address("site.css"))

    assert response.data == CSS
    assert response.mimetype == "text/css"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert files.get("/static/site.css").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "encoding", "decode"),
    [
        ("gzip, deflate, br", "br", brotli.decompress),
        ("gzip", "gzip", gzip.decompress),
        ("br;q=0, gzip;q=0.5", "gzip", gzip.decompress),
        ("zstd", "zstd", unzstd),
        ("", None, bytes),
    ],
)
def test_text_comes_compressed_as_the_client_takes_it(
    files: FlaskClient, accepted: str, encoding: str | None, decode: type[bytes]
) -> None:
    response = files.get(address("site.css"), headers={"Accept-Encoding": accepted})

    assert response.headers.get("Content-Encoding") == encoding
    assert response.headers["Vary"] == "Accept-Encoding"
    assert decode(response.data) == CSS
    assert (len(response.data) < len(CSS)) == (encoding is not None)


def test_pictures_are_not_compressed_again(files: FlaskClient) -> None:
    response = files.get(address("icon.png"), headers={"Accept-Encoding": "br"})

    assert "Content-Encoding" not in response.headers
    assert "Vary" not in response.headers


def test_what_a_browser_has_is_not_sent_again(files: FlaskClient) -> None:
    accepted = {"Accept-Encoding": "br"}
    etag = files.get("/static/site.css", headers=accepted).headers["ETag"]

    again = files.get("/static/site.css", headers=accepted | {"If-None-Match": etag})

    assert (again.status_code, again.data) == (304, b"")


def test_an_address_of_another_release_gives_the_file_of_this_one(files: FlaskClient) -> None:
    response = files.get("/static/js/page.min.000000000000.js")

    assert response.data == b"1"
    assert response.headers["Cache-Control"] == "public, max-age=60, s-maxage=60"


@pytest.mark.parametrize(
    "name", ["nothing.css", "nothing.000000000000.css", "site.0.css", "../setup.cfg", "js"]
)
def test_what_is_no_file_is_not_found(files: FlaskClient, name: str) -> None:
    assert files.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("accepted", ["", "gzip"])
def test_every_file_of_the_site_is_served(client: FlaskClient, accepted: str) -> None:
    root = Path(__file__).parent.parent / "static"

    for path in root.rglob("*.*"):
        address = f"/static/{path.relative_to(root)}"
        response = client.get(address, headers={"Accept-Encoding": accepted})
        body = response.data
        if response.content_encoding is not None:
            body = decompress(body, response.content_encoding)
        assert body == path.read_bytes()
