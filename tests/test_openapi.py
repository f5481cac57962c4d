"""The API against its descriptions: generated requests find no fault, and no route is left out.

`contract/openapi.yaml` is what clients were promised when the project began; openapi.yaml says
more, and takes nothing back.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day

ROOT = Path(__file__).parent.parent
OWN = ROOT / "openapi.yaml"
CONTRACT = ROOT / "tests" / "contract" / "openapi.yaml"
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
SETTINGS = Path(__file__).with_name("schemathesis.toml")

PARTS = {"name": "package", "dimension": "type"}
"""What the description calls the parts of an address that the routes name otherwise."""


@pytest.mark.parametrize(
    ("description", "checks"),
    [(OWN, "all"), (CONTRACT, "not_a_server_error,response_schema_conformance")],
)
def test_generated_requests_find_nothing(
    app: Flask, server_url: str, tmp_path: Path, description: Path, checks: str
) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("requests"), package_day("0")))

    run = subprocess.run(
        [SCHEMATHESIS, "--config-file", SETTINGS, "run", description, "--url", server_url,
         "--checks", checks, "--max-examples", "40", "--generation-deterministic", "--no-color"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout


def operations(document: Path) -> dict[str, Any]:
    return {
        path: item["get"] for path, item in yaml.safe_load(document.read_text())["paths"].items()
    }


def test_every_route_of_the_api_is_described_and_no_other(app: Flask) -> None:
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", lambda part: f"{{{PARTS[part[1]]}}}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/badge/", "/health", "/ready")) and rule.rule != "/api/"
    }

    assert routes == set(operations(OWN))


def test_whatever_is_counted_is_said_to_be_refused() -> None:
    silent = {path for path, asked in operations(OWN).items() if "429" not in asked["responses"]}

    assert silent == {"/health", "/ready"}


def test_nothing_of_the_contract_is_taken_back() -> None:
    own = operations(OWN)

    for path, promised in operations(CONTRACT).items():
        parameters = {each["name"]: each for each in own[path]["parameters"] if "name" in each}
        for parameter in promised["parameters"]:
            if parameter["in"] == "query":
                allowed = parameters[parameter["name"]]["schema"].get("enum", [])
                assert set(parameter["schema"].get("enum", [])) <= set(allowed)
        assert set(promised["responses"]) <= set(own[path]["responses"])
