"""What search engines, previews and browsers read of the site."""

import io
import json
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import text

from pypistats import ingest
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day

SITE = "https://stats.example"


@pytest.fixture(autouse=True)
def packages(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "SITE_URL", SITE)
    with app.app_context():
        ingest.ingest_day(
            DAY, FixedSource(*(package_day(name) for name in ("flask", "flaky", "zope-interface")))
        )


def texts(client: FlaskClient, address: str, tag: str = "loc") -> list[str]:
    """Return what stands in each `tag` of a part of the sitemap."""
    response = client.get(address.removeprefix(SITE))
    assert (response.status_code, response.mimetype) == (200, "application/xml")
    root = ElementTree.fromstring(response.text)
    namespace = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    return [element.text or "" for element in root.iter(namespace + tag)]


def test_the_sitemap_leads_to_every_page_and_package(client: FlaskClient) -> None:
    robots = client.get("/robots.txt").text
    index = robots.split("Sitemap: ")[1].strip()

    assert set(texts(client, index, "lastmod")) == {"2026-03-15"}
    found = [address for part in texts(client, index) for address in texts(client, part)]
    assert len(found) == len(set(found))
    assert {
        f"{SITE}/packages/{name}" for name in ("__all__", "flask", "flaky", "zope-interface")
    } <= set(found)
    assert {f"{SITE}/", f"{SITE}/about", f"{SITE}/faqs", f"{SITE}/api"} <= set(found)
    for address in found:
        assert client.get(address.removeprefix(SITE)).status_code == 200


def test_the_sitemap_has_a_part_for_each_stretch_of_numbers(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypistats.views.crawlers.SITEMAP_NAMES", 2)

    parts = [part for part in texts(client, "/sitemap.xml") if "packages-" in part]

    names = [texts(client, part) for part in parts]
    assert all(len(part) <= 2 for part in names)
    assert sum(len(part) for part in names) == 4
    assert client.get(f"/sitemaps/packages-{len(parts)}.xml").status_code == 404


@pytest.mark.usefixtures("app_context")
def test_a_part_of_the_sitemap_is_read_from_an_index() -> None:
    db.session.execute(text("set local enable_seqscan = off"))
    plan = db.session.execute(
        text("explain select name from packages where id between 1 and 10000 order by id")
    ).scalars()

    assert "packages_pkey" in "\n".join(plan)


@pytest.mark.parametrize("path", ["/", "/packages/flask", "/packages/__all__", "/faqs", "/api"])
def test_a_page_says_what_it_is(client: FlaskClient, path: str) -> None:
    head = BeautifulSoup(client.get(f"{path}?utm=1").text, "html.parser").head

    assert head.find("link", rel="canonical")["href"] == SITE + path
    title, description = (
        head.title.get_text(),
        head.find("meta", {"name": "description"})["content"],
    )
    assert len(title) <= 70
    assert 40 <= len(description) <= 160
    shared = {meta["property"]: meta["content"] for meta in head.find_all("meta", property=True)}
    assert shared["og:title"] == title
    assert shared["og:description"] == description
    assert shared["og:url"] == SITE + path
    assert shared["og:image"].startswith(f"{SITE}/")


def test_titles_and_descriptions_differ_from_page_to_page(client: FlaskClient) -> None:
    paths = ("/", "/packages/flask", "/packages/flaky", "/packages/__all__", "/faqs", "/about")
    heads = [BeautifulSoup(client.get(path).text, "html.parser").head for path in paths]

    assert len({head.title.get_text() for head in heads}) == len(paths)
    assert len({head.find("meta", {"name": "description"})["content"] for head in heads}) == 6


def test_a_package_page_describes_its_data_set(client: FlaskClient) -> None:
    soup = BeautifulSoup(client.get("/packages/flask").text, "html.parser")

    dataset = json.loads(soup.find("script", type="application/ld+json").get_text())

    assert dataset["@type"] == "Dataset"
    assert dataset["url"] == f"{SITE}/packages/flask"
    assert dataset["temporalCoverage"] == "2026-03-15/2026-03-15"
    for file in dataset["distribution"]:
        assert client.get(file["contentUrl"].removeprefix(SITE)).status_code == 200


def test_icons_are_there_for_all_who_ask(client: FlaskClient) -> None:
    manifest = json.loads(client.get("/site.webmanifest").text)
    sizes = {
        "/favicon.ico": 48,
        **{icon["src"]: int(icon["sizes"].split("x")[0]) for icon in manifest["icons"]},
    }

    for address, size in sizes.items():
        response = client.get(address, follow_redirects=True)
        assert Image.open(io.BytesIO(response.data)).size == (size, size)


def test_without_a_setting_addresses_are_the_requests_own(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "SITE_URL", None)

    assert (
        "http://stats.local:81/sitemap.xml"
        in client.get("/robots.txt", base_url="http://stats.local:81").text
    )
