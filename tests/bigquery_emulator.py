"""A BigQuery emulator as a subprocess, with PyPI's `file_downloads` table in it.

It runs the real SQL and speaks the real protocol; what it lacks (bytes, labels, limits, the
Storage API) is in `bigquery_proxy` and `bigquery_storage_server`.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from tests.download_rows import Row, arrow_table, bigquery_schema
from tests.network import free_port

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
PROJECT = "bigquery-public-data"
TABLE = f"{PROJECT}.pypi.file_downloads"
START_SECONDS = 60


class Emulator:
    """A running emulator; `url` is what BIGQUERY_EMULATOR_HOST must hold."""

    def __init__(self, folder: Path) -> None:
        """Start the emulator, which logs to `folder`, and make the empty table."""
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = folder / "bqemulator.log"
        self._process = self._start(folder)
        self._await_port()
        self._client = bigquery.Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.url},
        )
        self._make_table()

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        if not PYTHON.exists():
            raise RuntimeError(f"{PYTHON} is missing: `make test` makes it")
        options = ["--rest-port", self.url.rpartition(":")[2], "--grpc-port", str(free_port())]
        environ = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "TMPDIR": str(folder),
            "BQEMU_ENABLE_FORMAT_EXTENSIONS": "0",
            "BQEMU_METRICS_ENABLED": "0",
        }
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [PYTHON, ROOT / "tests/run_bqemulator.py", "start", *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environ,
            )

    def _await_port(self) -> None:
        """Wait until the emulator listens: the client would retry a refusal for ten minutes."""
        host, port = self.url.removeprefix("http://").split(":")
        end = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the emulator did not start:\n{self._log.read_text()[-2000:]}")

    def _make_table(self) -> None:
        self._client.create_dataset(bigquery.Dataset(f"{PROJECT}.pypi"))
        table = bigquery.Table(TABLE, schema=bigquery_schema())
        table.time_partitioning = bigquery.TimePartitioning(field="timestamp")
        table.clustering_fields = ["project"]
        self._client.create_table(table)

    def put(self, rows: Iterable[Row]) -> None:
        """Make `rows` the whole table."""
        self.put_table(arrow_table(rows))

    def put_table(self, table: pa.Table, *, append: bool = False) -> None:
        """Load an Arrow table, in place of what is there or after it."""
        file = BytesIO()
        pq.write_table(table, file)
        config = bigquery.LoadJobConfig(
            source_format="PARQUET",
            schema=bigquery_schema(),
            write_disposition="WRITE_APPEND" if append else "WRITE_TRUNCATE",
        )
        self._client.load_table_from_file(file, TABLE, rewind=True, job_config=config).result()

    def stop(self) -> None:
        """End the process."""
        if hasattr(self, "_client"):
            self._client.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
