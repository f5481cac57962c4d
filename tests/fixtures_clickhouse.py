"""Fixtures of the ClickHouse tests: the engine with ClickPy's table, and a server that fails."""

import os
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.download_rows import Row, edge_rows, write_json_lines
from tests.network import free_port, wait_for
from tests.scripted_server import ScriptedServer

ROOT = Path(__file__).parent.parent
SERVER = ROOT / "tests" / "run_chdb.py"
PYTHON = ROOT / ".venv-clickhouse" / "bin" / "python"


class ClickHouse:
    """A running server with rows in its table, and small limits; it logs to `folder`."""

    def __init__(
        self, folder: Path, rows: Iterable[Row], *, answered: int = 4, read: int = 600
    ) -> None:
        file, log = folder / "rows.jsonl", folder / "chdb.log"
        write_json_lines(rows, file)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [PYTHON, SERVER, str(port), file, str(answered), str(read)],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                # The engine leaves its data behind there.
                env=os.environ | {"TMPDIR": str(folder)},
            )
        try:
            wait_for(self.url)
        except TimeoutError:
            self.stop()
            raise RuntimeError(f"chdb did not start:\n{log.read_text()[-2000:]}") from None

    def queries(self) -> int:
        """Return how many queries the engine has run."""
        with urllib.request.urlopen(self.url) as answer:
            return int(answer.read())

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """Run one engine for the session, with the edge cases."""
    server = ClickHouse(tmp_path_factory.mktemp("clickhouse"), edge_rows())
    yield server
    server.stop()


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """Give a server that answers as the test says."""
    server = ScriptedServer()
    yield server
    server.close()
