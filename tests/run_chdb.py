"""A ClickHouse server with ClickPy's table: chdb, which is its engine, behind plain HTTP.

Runs in `.venv-clickhouse`: `python run_chdb.py PORT FILE ANSWERED READ`, where FILE has rows of
PyPI's `file_downloads` as JSON lines. As at ClickPy, the user may change no setting, and a query
gives what it has got once it has ANSWERED or READ so many rows. A GET tells the number of queries.
"""

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

USER = "play"

TABLE = """
create table pypi.pypi (
    date Date, country_code LowCardinality(String), project String, type LowCardinality(String),
    installer LowCardinality(String), python_minor LowCardinality(String),
    system LowCardinality(String), version String
) engine = MergeTree order by (project, date, version, country_code, python_minor, system)
settings index_granularity = 16
"""

SUMS = (
    """
create table pypi.pypi_downloads_per_day (date Date, project String, count Int64)
engine = SummingMergeTree order by (project, date)
""",
    """
create materialized view pypi.pypi_downloads_per_day_mv to pypi.pypi_downloads_per_day as
select date, project, count() as count from pypi.pypi group by date, project
""",
)

INSERT = """
insert into pypi.pypi
select toDate(parseDateTime64BestEffort(timestamp, 6, 'UTC'), 'UTC'), country_code, project,
    file.type, details.installer.name,
    arrayStringConcat(arraySlice(splitByChar('.', details.python), 1, 2), '.'),
    details.system.name, file.version
from file({path:String}, JSONEachRow, 'timestamp String, country_code String, project String,
    file Tuple(type String, version String),
    details Tuple(installer Tuple(name String), python String, system Tuple(name String))')
settings input_format_null_as_default = 1, input_format_skip_unknown_fields = 1,
    input_format_json_ignore_unknown_keys_in_named_tuple = 1,
    input_format_json_defaults_for_missing_elements_in_named_tuple = 1
"""
"""How ClickPy fills its table from what BigQuery exports: NULL becomes '', and of Python's version
the first two parts are kept."""

LIMITS = (
    "set max_block_size = 2, max_result_rows = {answered}, result_overflow_mode = 'break',"
    " max_rows_to_read = {read}, read_overflow_mode = 'break', readonly = 1"
)
"""ClickPy's kind of limits, and smaller: too many rows to read or to answer end it, silently."""


class Server(ThreadingHTTPServer):
    """The server; the engine takes one query at a time."""

    daemon_threads = True

    def __init__(self, port: int, rows: str, *, answered: int, read: int) -> None:
        self.engine = Session()
        self.lock = threading.Lock()
        self.queries = 0
        self.engine.query("create database pypi")
        for statement in (TABLE, *SUMS):
            self.engine.query(statement)
        self.engine.query(INSERT, params={"path": rows})
        self.engine.query(LIMITS.format(answered=answered, read=read))
        super().__init__(("127.0.0.1", port), Handler)

    def answer(self, sql: str, parameters: dict[str, str]) -> bytes:
        """Run a query; its text names the format."""
        found = re.search(r"\sFORMAT\s+(\w+)\s*$", sql)
        with self.lock:
            self.queries += 1
            return self.engine.query(sql[: found.start()], found[1], params=parameters).bytes()


class Handler(BaseHTTPRequestHandler):
    """Takes a query as ClickHouse does: its text as the body, its parameters in the URL."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(200, str(self.server.queries).encode())

    def do_POST(self) -> None:
        sql = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        parameters = {
            name.removeprefix("param_"): value
            for name, value in given.items()
            if name.startswith("param_")
        }
        if self.headers["X-ClickHouse-User"] != USER:
            self._fail(516, "Authentication failed (AUTHENTICATION_FAILED)")
        elif len(parameters) < len(given):
            self._fail(164, "Cannot modify a setting in readonly mode. (READONLY)")
        else:
            self._run(sql, parameters)

    def _run(self, sql: str, parameters: dict[str, str]) -> None:
        try:
            content = self.server.answer(sql, parameters)
        except Exception as error:
            code = re.search(r"Code: (\d+)", str(error))
            self._fail(int(code[1]) if code else 0, str(error).partition("DB::Exception: ")[2])
        else:
            self._answer(200, content)

    def _fail(self, code: int, text: str) -> None:
        message = f"Code: {code}. DB::Exception: {text} (version 26.9.2.1)\n"
        self._answer(403 if code == 516 else 500, message.encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    port, rows, answered, read = sys.argv[1:]
    Server(int(port), rows, answered=int(answered), read=int(read)).serve_forever()
