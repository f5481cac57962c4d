"""The API's page against openapi.yaml, which it is written from."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pypistats import ingest, reference
from tests.fixed_source import DAY, FixedSource, package_day

OPENAPI = Path(__file__).parent.parent / "openapi.yaml"
DOCUMENT = yaml.safe_load(OPENAPI.read_text())
ENDPOINTS = reference.read_endpoints(OPENAPI)


@pytest.fixture
def soup(client: FlaskClient) -> BeautifulSoup:
    return BeautifulSoup(client.get("/api", base_url="https://stats.example").text, "html.parser")


def test_the_page_has_every_endpoint_with_its_words_and_curl(soup: BeautifulSoup) -> None:
    sections = {section.h2.code.get_text(): section for section in soup.select("section.endpoint")}

    assert list(sections) == list(DOCUMENT["paths"])
    for path, item in DOCUMENT["paths"].items():
        words = sections[path].get_text()
        assert item["get"]["summary"].replace("`", "") in words
        assert "curl 'https://stats.example/" in words
        assert set(item["get"]["responses"]) <= set(words.split())


def test_the_page_has_every_parameter_with_all_it_takes(soup: BeautifulSoup) -> None:
    for endpoint in ENDPOINTS:
        rows = soup.find("section", {"aria-labelledby": endpoint.id}).select("tbody tr")
        assert [row.th.get_text() for row in rows] == [each.name for each in endpoint.parameters]
        for row, parameter in zip(rows, endpoint.parameters, strict=True):
            assert all(choice in row.get_text() for choice in parameter.choices)


def test_every_parameter_has_a_field_to_try_it(soup: BeautifulSoup) -> None:
    for endpoint in ENDPOINTS:
        form = soup.find("form", {"data-try": endpoint.path})
        fields = [(field["name"], field["data-in"]) for field in form.select("[data-in]")]
        assert fields == [(each.name, each.place) for each in endpoint.parameters]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.id)
def test_the_examples_work(app: Flask, client: FlaskClient, endpoint: reference.Endpoint) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("requests"), package_day("flask")))

    for path in endpoint.examples:
        assert client.get(path).status_code == 200, path


def samples() -> list[Any]:
    found = []
    for endpoint in ENDPOINTS:
        response = DOCUMENT["paths"][endpoint.path]["get"]["responses"]["200"]
        if endpoint.sample is not None:
            schema = response["content"]["application/json"]["schema"]
            found.append(pytest.param(endpoint.sample, schema, id=endpoint.id))
    return found


@pytest.mark.parametrize(("sample", "schema"), samples())
def test_the_shown_answer_is_one_that_the_description_allows(
    sample: str, schema: dict[str, Any]
) -> None:
    whole = schema | {"components": DOCUMENT["components"]}

    jsonschema_rs.validator_for(whole).validate(json.loads(sample))


def test_the_description_itself_is_served(client: FlaskClient) -> None:
    with client.get("/openapi.yaml") as response:
        assert response.data == OPENAPI.read_bytes()
        assert response.mimetype == "application/yaml"
