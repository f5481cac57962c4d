"""What a web process is made of when it starts."""

import subprocess
import sys

import orjson

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
