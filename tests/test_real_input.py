"""From log lines to pages: lines, PyPI's own parser, BigQuery, `flask ingest`, and every number."""

import contextlib
import datetime as dt

import pytest
from flask.testing import FlaskClient, FlaskCliRunner

from tests.bigquery_emulator import Emulator
from tests.bigquery_proxy import Proxy
from tests.cdn_log import AGENTS, agent_rows, file_rows, log_line, multiply, parse_line
from tests.download_rows import Totals, aggregate
from tests.site_check import check_site

PACKAGES = ("boto3", "numpy", "typing-extensions", "a")
SINCE = dt.date(2026, 2, 26)
DAYS = [SINCE + dt.timedelta(days=number) for number in range(8)]
ROWS = 3_000

# linehaul calls its own parser by a word that the parser now calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:'parseAll':DeprecationWarning")


def test_a_log_line_becomes_the_row_that_pypi_logs() -> None:
    row = parse_line(log_line(AGENTS[6][1], 7))

    assert row is not None
    assert row["timestamp"] == dt.datetime(2026, 3, 1, 0, 0, 7, tzinfo=dt.UTC)
    assert row["project"] == "example-7"
    assert row["file"]["version"] == "1.7"
    assert row["details"]["installer"] == {"name": "pip", "version": "26.0", "subcommand": None}
    assert row["details"]["system"] == {"name": "Windows", "release": "11"}


def test_the_agents_cover_what_is_counted_in_a_way_of_its_own() -> None:
    details = [row["details"] or {} for row in agent_rows()]
    installers = {(found.get("installer") or {}).get("name") for found in details}
    systems = {(found.get("system") or {}).get("name") for found in details}

    assert {"bandersnatch", "z3c.pypimirror", "Artifactory", "devpi", "pip", None} <= installers
    assert {"Linux", "Windows", "Darwin", "FreeBSD", None} <= systems
    assert {None, "", "3", "3.x", "2.7.18+", "3.14.0rc1", "3.100.1"} <= {
        found.get("python") for found in details
    }


def test_agents_alone_are_read_as_lines_are() -> None:
    agent = AGENTS[0][1]

    assert file_rows([agent, log_line(agent), "(null)"]) == [parse_line(log_line(agent))] * 2


@pytest.fixture
def ingested(
    bigquery_emulator: Emulator, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> Totals:
    """Ingest rows made of the log from BigQuery; return what they come to."""
    rows = list(multiply(agent_rows(), PACKAGES, DAYS, ROWS))
    bigquery_emulator.put(rows)
    with contextlib.closing(Proxy(bigquery_emulator.url)) as proxy:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
        result = runner.invoke(args=["ingest", f"{DAYS[0]}..{DAYS[-1]}", "--source", "bigquery"])

    assert result.exit_code == 0, result.output
    return aggregate(rows, DAYS[0], DAYS[-1])


def test_every_number_of_the_site_is_the_count_of_the_rows(
    ingested: Totals, client: FlaskClient
) -> None:
    def get(path: str) -> tuple[int, str]:
        answer = client.get(path)
        return answer.status_code, answer.text

    compared, faults = check_site(get, ingested)

    assert faults == []
    assert compared > 3_000
