"""PgBouncer in front of the tests' PostgreSQL, by docs/pgbouncer.ini but for addresses."""

import contextlib
import os
import pwd
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from sqlalchemy.engine import make_url

from pypistats.embedded import STEP_DOWN_TO
from tests.network import free_port
from tests.pipeline_processes import until

CONFIG = Path(__file__).parent.parent / "docs" / "pgbouncer.ini"


@contextlib.contextmanager
def pgbouncer(url: str, *, pool: int) -> Iterator[str]:
    """Run a PgBouncer that has so many connections to the server; give its address."""
    server = make_url(url)
    with tempfile.TemporaryDirectory(prefix="pypistats-test-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        users = folder / "userlist.txt"
        users.write_text(f'"{server.username}" "{server.password}"\n')
        text = CONFIG.read_text()
        for old, new in {
            r"pypistats = host=.*": f"* = host={server.host} port={server.port}",
            r"listen_port = .*": f"listen_port = {port}",
            r"auth_file = .*": f"auth_file = {users}",
            r"default_pool_size = .*": f"default_pool_size = {pool}",
        }.items():
            text, count = re.subn(old, new, text)
            assert count == 1, old
        (folder / "pgbouncer.ini").write_text(text)
        process = subprocess.Popen(
            ["pgbouncer", "--quiet", str(folder / "pgbouncer.ini")],
            # It refuses to run as root, as PostgreSQL does.
            user=pwd.getpwnam(STEP_DOWN_TO).pw_uid if os.geteuid() == 0 else None,
            stderr=subprocess.DEVNULL,
        )
        pooled = server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        try:
            until(lambda: _answers(pooled), "PgBouncer answers")
            yield pooled
        finally:
            process.terminate()
            process.wait(20)


def _answers(url: str) -> bool:
    with contextlib.suppress(psycopg2.OperationalError):
        psycopg2.connect(url).close()
        return True
    return False
