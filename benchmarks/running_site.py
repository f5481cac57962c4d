"""The site as `make run` starts it, with the sample in it, for benchmarks."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from tests.network import free_port

SECONDS = 120


@contextlib.contextmanager
def site() -> Iterator[int]:
    """Run the site with the sample in it for the time; give its port."""
    folder = Path(tempfile.mkdtemp(prefix="pypistats-bench-"))
    port = free_port()
    environ = os.environ | {"PYPISTATS_DATA_DIR": str(folder), "PORT": str(port)}
    launcher = subprocess.Popen(
        [sys.executable, "-m", "pypistats.launcher"], env=environ, stdout=subprocess.PIPE, text=True
    )
    try:
        click.echo("\nstarting a site with the sample (not measured)")
        assert launcher.stdout
        next(line for line in launcher.stdout if "ready: " in line)
        threading.Thread(target=launcher.stdout.read, daemon=True).start()
        yield port
    finally:
        launcher.send_signal(signal.SIGINT)
        launcher.wait(SECONDS)
        shutil.rmtree(folder, ignore_errors=True)
