"""What a web process is made of when it starts."""

import subprocess
import sys

import orjson

from pypistats import ROOT

HEAVY = (
    "PIL",
    "alembic",
    "celery",
    "choreographer",
    "duckdb",
    "flask_limiter",
    "flask_sqlalchemy",
    "google.cloud.bigquery",
    "grpc",
    "kaleido",
    "kombu",
    "plotly",
    "pyarrow",
    "sqlalchemy",
    "yaml",
)
"""What only some commands and some answers need; each takes long to import, or much memory."""

START = """
import sys, threading
from pypistats import create_site
create_site({"DATABASE_URL": "postgresql://user:password@127.0.0.1:1/name",
            "REDIS_URL": "redis://127.0.0.1:1/0"})
import orjson
print(orjson.dumps([sorted(sys.modules), threading.active_count()]).decode())
"""


def test_a_web_process_imports_nothing_heavy_and_starts_nothing_before_a_request() -> None:
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, check=True)

    modules, threads = orjson.loads(done.stdout)
    assert not {name for name in HEAVY if name in modules}
    assert threads == 1


def test_every_module_stands_in_the_table_of_the_architecture() -> None:
    told = (ROOT / "docs" / "architecture.md").read_text()
    modules = {path.name for path in (ROOT / "pypistats").rglob("*.py")} - {"__init__.py"}

    assert {name for name in modules if f"{name}`" not in told} == set()
