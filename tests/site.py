"""The site for tests: with an empty database, and served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from pypistats import store
from pypistats.extensions import db
from pypistats.kept import Shelf
from tests.network import free_port, wait_for

ROOT = Path(__file__).parent.parent


@contextmanager
def emptied(app: Flask) -> Iterator[None]:
    """Forget what the app has in memory; afterwards, empty its database."""
    app.extensions["answers"].keeper.shelf = Shelf(2**24)
    yield
    with app.app_context():
        months = db.session.execute(
            text("select inhrelid::regclass from pg_inherits where inhparent = 'daily'::regclass")
        ).scalars()
        for month in months.all():
            db.session.execute(text(f"drop table {month}"))
        db.session.execute(
            text(
                "truncate ingested_days, purged_days, monthly, rankings, package_info, known_names,"
                " chores, wants, billed_queries, tracked_packages"
            )
        )
        db.session.execute(text("delete from packages where name <> '__all__'"))
        db.session.execute(
            text("update packages set last_day = 0, last_week = 0, last_month = 0, total = 0")
        )
        store.bump_revision()
        db.session.commit()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve the app's database as the Procfile does; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "pypistats.server"]
    environ = {
        "DATABASE_URL": app.config["DATABASE_URL"],
        "REVISION_SECONDS": "0",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "PATH": os.environ["PATH"],
    }
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
