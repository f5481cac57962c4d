"""What `make run` does: a database, its tables, its first data, then the Procfile's processes.

For development. A deployment sets DATABASE_URL and runs the Procfile itself.
"""

import contextlib
import datetime as dt
import fcntl
import os
import shlex
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, cast

import click
import flask_migrate
from flask import Flask
from honcho.environ import parse_procfile
from honcho.manager import Manager

from pypistats import ROOT, create_app, queries, tied
from pypistats.cli import ingest_days, yesterday
from pypistats.config import load_config
from pypistats.embedded import EmbeddedServerError, PostgresServer, ValkeyServer
from pypistats.extensions import database_faults
from pypistats.sources.opening import SAMPLE_DAYS
from pypistats.sources.sample import SampleSource

LOCAL_PROCESSES = ("web", "worker", "beat")
CREDENTIALS = ("BIGQUERY_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST")
"""Variables of which one says that BigQuery can be asked."""

START_SECONDS = 30
INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""What honcho returns after these signals."""


def main() -> None:
    """Run the site until it is interrupted; exit with 1 and the reason if it can't start."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _terminate)
    sys.stdout = cast(TextIO, _Output(sys.stdout))
    try:
        with _data_folder() as folder, _servers(folder) as addresses:
            _run(addresses, folder)
    except KeyboardInterrupt:
        say("stopped")
    except (click.ClickException, EmbeddedServerError, LaunchError) as error:
        say(f"can't start: {error}")
        sys.exit(1)


class LaunchError(Exception):
    """Something on this machine stands in the way; the message says what helps."""


class _Output:
    """Standard output; once nobody reads it any more, the launcher ends as on Ctrl-C.

    An error at a line's end would end it on the spot, with all that it has started still running.
    So would honcho's line about a signal that comes while another line is being written: such a
    line is left out.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or end."""
        with self._survived():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, or end."""
        with self._survived():
            self._stream.flush()

    @contextlib.contextmanager
    def _survived(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._end()
        except RuntimeError as error:
            if "reentrant call" not in str(error):
                raise

    def _end(self) -> None:
        # What is still in the old stream's buffer would raise once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


def say(text: str) -> None:
    """Print one step."""
    click.echo(f"pypistats: {text}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """Turn a closed terminal's signal into the one that honcho passes on."""
    os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _data_folder() -> Iterator[Path]:
    """Make the data folder and hold it, so that two launchers can't share it."""
    folder = Path(os.environ.get("PYPISTATS_DATA_DIR") or _default_folder()).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise LaunchError(f"PYPISTATS_DATA_DIR: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaunchError(
                f"another `make run` uses {folder}; PYPISTATS_DATA_DIR names another folder"
            ) from None
        yield folder


def _default_folder() -> Path:
    """Return the folder where nothing is set: made-up days and real ones don't share one."""
    folder = ROOT / "var"
    return folder / "clickhouse" if os.environ.get("SOURCE") == "clickhouse" else folder


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[dict[str, str]]:
    """Give the addresses of the database and of the cache, by the variables' names."""
    postgres, valkey = folder / "postgres", folder / "valkey"
    with (
        _address("DATABASE_URL", PostgresServer(postgres), postgres) as database,
        _address("REDIS_URL", ValkeyServer(valkey), valkey) as cache,
    ):
        yield {"DATABASE_URL": database, "REDIS_URL": cache}


@contextlib.contextmanager
def _address(variable: str, server: PostgresServer | ValkeyServer, folder: Path) -> Iterator[str]:
    """Give the address in a variable, or that of `server`, which runs as long as this does."""
    given = os.environ.get(variable)
    if given:
        say(f"using the server of {variable}")
        yield given
        return
    say(f"starting {server.name} in {folder}")
    try:
        server.start()
        for opened in server.opened:
            say(f"let other users pass through {opened}, since {server.name} can't run as root")
        yield server.url
    finally:
        say(f"stopping {server.name}")
        server.stop()


def _run(addresses: dict[str, str], folder: Path) -> None:
    programs = str(Path(sys.executable).parent)
    own = addresses | {"FLASK_APP": "pypistats"}
    path = os.pathsep.join([programs, os.environ.get("PATH", "")])
    environ = {"HOST": "127.0.0.1"} | os.environ | own | {"PATH": path}
    port = load_config(environ)["PORT"]
    _check_port(port)
    environ["SOURCE"] = source = _prepare_data(create_app(environ), environ)
    _write_environment(folder / "env", own | {"SOURCE": source}, programs)
    _serve(environ, port)


def _write_environment(path: Path, variables: Mapping[str, str], programs: str) -> None:
    """Write what another shell needs for `flask` commands on the same database."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    path.touch(mode=0o600)
    path.write_text(f'{"".join(lines)}export PATH={shlex.quote(programs)}:"$PATH"\n')
    say(f"for flask commands in another shell: . {shlex.quote(str(path))}")


def _check_port(port: int) -> None:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LaunchError(
                f"port {port}: {error.strerror}; PORT=5001 make run takes another"
            ) from error


def _prepare_data(app: Flask, environ: Mapping[str, str]) -> str:
    """Bring the tables up to date, load the sample if it is what shall be shown; name the source.

    That is what SOURCE says, else BigQuery where there are credentials. Without any, made-up days
    are loaded where there are no others.
    """
    with app.app_context(), database_faults():
        say("bringing the tables up to date")
        flask_migrate.upgrade()
        loaded = queries.loaded_days()
        source = environ.get("SOURCE") or _source({str(row.source) for row in loaded}, environ)
        _check_not_mixed(source, {str(row.source) for row in loaded})
        if source == "sample":
            _load_sample({row.day for row in loaded})
    say(f"the schedule takes its days from: {source}")
    if app.config["INGEST_SCOPE"] == "tracked":
        say("packages are fetched when their pages are opened")
    return source


def _check_not_mixed(source: str, loaded: Set[str]) -> None:
    """Refuse to put real days beside made-up ones, or these beside real ones."""
    there = "real" if source == "sample" else "made-up"
    others = loaded - {"sample"} if source == "sample" else loaded & {"sample"}
    if others and source != "none":
        raise LaunchError(
            f"SOURCE is {source}, and the database holds {there} days;"
            " PYPISTATS_DATA_DIR names another folder"
        )


def _source(loaded: Set[str], environ: Mapping[str, str]) -> str:
    if any(environ.get(variable) for variable in CREDENTIALS):
        return "bigquery"
    return "sample" if loaded <= {"sample"} else "none"


def _load_sample(loaded: set[dt.date]) -> None:
    """Load what the sample has and the database lacks: all of it, or the days since."""
    source = SampleSource(yesterday(), SAMPLE_DAYS)
    missing = [day for day in source.days() if day not in loaded]
    if missing:
        say(f"loading sample data: {len(missing)} days of made-up downloads")
        ingest_days(source, missing)


class _Manager(Manager):  # type: ignore[misc]
    """honcho's, which breaks when it is told to end before all processes have started."""

    def terminate(self) -> None:
        """Tell the processes to end, as soon as all of them can be told."""
        if self._all_started():
            super().terminate()
        else:
            threading.Timer(0.1, self.terminate).start()


def _serve(environ: dict[str, str], port: int) -> None:
    """Run the Procfile's processes until one ends or the launcher is interrupted."""
    say("starting the processes of the Procfile")
    manager = _Manager()
    processes = parse_procfile((ROOT / "Procfile").read_text()).processes
    for name in LOCAL_PROCESSES:
        manager.add_process(name, _tied(processes[name]), env=environ, cwd=str(ROOT))
    threading.Thread(target=_announce, args=(port,), daemon=True).start()
    manager.loop()
    if manager.returncode in INTERRUPTED:
        raise KeyboardInterrupt
    if manager.returncode:
        raise LaunchError("a process of the Procfile has ended; its last lines are above")


def _tied(command: str) -> str:
    """Return a command that ends with this process, however that ends."""
    return shlex.join(["exec", sys.executable, "-I", tied.__file__, str(os.getpid()), command])


def _announce(port: int) -> None:
    """Print the address as soon as it answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            say(f"ready: http://127.0.0.1:{port}")
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
