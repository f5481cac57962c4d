"""The `pypistats` command-line client from PyPI prints right tables of our answers."""

import datetime as dt
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from pypistats import ingest
from tests.fixed_source import DAY, FixedSource, package_day

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / ".venv-client" / "bin" / "python"
DAY_BEFORE = DAY - dt.timedelta(days=1)

Table = list[list[str]]


class Command(NamedTuple):
    """A command's words, its table's title and rows, and its data as JSON."""

    words: str
    table: Table
    data: object


PARTS = ["category", "percent", "downloads"]
COMMANDS = [
    Command(
        "recent Flask",
        [["last_day", "last_week", "last_month"], ["1,200", "1,204", "1,204"]],
        {"last_day": 1_200, "last_week": 1_204, "last_month": 1_204},
    ),
    Command(
        "overall flask",
        [
            PARTS,
            ["with_mirrors", "100.00%", "1,209"],
            ["without_mirrors", "99.59%", "1,204"],
            ["Total", "", "1,209"],
        ],
        [
            {"category": "with_mirrors", "downloads": 1_209},
            {"category": "without_mirrors", "downloads": 1_204},
        ],
    ),
    Command(
        "python_major flask",
        [
            PARTS,
            ["3", "83.39%", "1,004"],
            ["2", "12.46%", "150"],
            ["null", "4.15%", "50"],
            ["Total", "", "1,204"],
        ],
        [
            {"category": "2", "downloads": 150},
            {"category": "3", "downloads": 1_004},
            {"category": "null", "downloads": 50},
        ],
    ),
    Command(
        "python_minor flask --version 3.12",
        [["category", "downloads"], ["3.12", "1,000"]],
        [{"category": "3.12", "downloads": 1_000}],
    ),
    Command(
        "system flask",
        [
            PARTS,
            ["Linux", "91.69%", "1,104"],
            ["Windows", "8.31%", "100"],
            ["Total", "", "1,204"],
        ],
        [{"category": "Linux", "downloads": 1_104}, {"category": "Windows", "downloads": 100}],
    ),
]


def _between(border: str) -> Callable[[str], Table]:
    """Read a table whose cells stand between borders; rules and colons of Markdown are no row."""

    def read(printed: str) -> Table:
        lines = [line for line in printed.splitlines() if line.startswith(border)]
        rows = [[cell.strip() for cell in line.strip(border).split(border)] for line in lines]
        return [row for row in rows if not set("".join(row)) <= set(":-")]

    return read


def _tabs(printed: str) -> Table:
    return [line.split("\t") for line in printed.splitlines() if "\t" in line]


def _html(printed: str) -> Table:
    rows = BeautifulSoup(printed, "html.parser").find_all("tr")
    return [[cell.get_text().strip() for cell in row.find_all(["th", "td"])] for row in rows]


READERS: dict[str, Callable[[str], Table]] = {
    "pretty": _between("│"),
    "md": _between("|"),
    "markdown": _between("|"),
    "rst": _between("|"),
    "tsv": _tabs,
    "html": _html,
}


@pytest.fixture
def ask(app: Flask, server_url: str, tmp_path: Path) -> Callable[[str, str], str]:
    """Load two days of flask, and give a function that runs the client in a format."""
    rows = package_day(
        "flask",
        mirrored=5,
        python_minor={"3.12": 1_000, "2.7": 150, "null": 50},
        system={"Linux": 1_100, "Windows": 100},
    )
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(rows))
        ingest.ingest_day(
            DAY_BEFORE,
            FixedSource(package_day("flask", DAY_BEFORE, python_minor={"3.9": 4})),
        )

    def run(words: str, form: str) -> str:
        command = [CLIENT, "tests/run_client.py", f"{server_url}/api/", *words.split(), "-f", form]
        cache = {"XDG_CACHE_HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
        return subprocess.run(
            command, cwd=ROOT, env=cache, capture_output=True, text=True, check=True
        ).stdout

    return run


@pytest.mark.parametrize("form", READERS)
def test_every_command_prints_its_table(ask: Callable[[str, str], str], form: str) -> None:
    for command in COMMANDS:
        printed = ask(command.words, form)

        assert READERS[form](printed) == command.table, printed


def test_every_command_prints_json(ask: Callable[[str, str], str]) -> None:
    for command in COMMANDS:
        assert json.loads(ask(command.words, "json"))["data"] == command.data


def test_daily_figures_have_their_dates(ask: Callable[[str, str], str]) -> None:
    printed = ask("python_minor flask --daily --version 3.9", "tsv")

    assert _tabs(printed) == [
        ["category", "date", "downloads"],
        ["3.9", DAY_BEFORE.isoformat(), "4"],
    ]
    assert f"Date range: {DAY_BEFORE} - {DAY_BEFORE}" in printed
