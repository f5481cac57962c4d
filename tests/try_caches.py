"""The caches of docs/ in front of the Procfile's `web`: `make try-proxies`.

docs/nginx.conf and docs/varnish.vcl are run as they are, but for ports and folders.
"""

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli
import pytest

from pypistats import create_app, ingest
from pypistats.extensions import db
from tests.fixed_source import DAY, FixedSource, package_day
from tests.network import free_port, wait_for
from tests.pipeline_processes import until
from tests.web_processes import PATIENCE, Client, Reply, Web, at_once, get

DOCS = Path(__file__).parent.parent / "docs"
NAMES = [f"package-{n}" for n in range(60)]
FORGED = ("X-Forwarded-For", "X_Forwarded_For", "X_Forwarded-For", "X-Forwarded_For")
MISLEADING = [
    ("X-Forwarded-Proto", "javascript"),
    ("X-Forwarded-Proto", "https"),
    ("X_Forwarded_Proto", "https"),
    ("X_Forwarded-Proto", "https"),
    ("X-Forwarded_Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X_Forwarded_Host", "evil.example"),
    ("X-Forwarded-Port", "81"),
    ("X-Forwarded-Prefix", "/evil"),
    ("Forwarded", "host=evil.example;proto=https"),
    ("Host", "evil.example"),
]
"""Headers that would lead a client elsewhere if the site believed them."""
MANY = "/api/packages/" + ",".join(NAMES) + "/recent"


def nginx(folder: Path, port: int, site: int) -> list[str]:
    """Write docs/nginx.conf for a folder and ports; return the command that runs it."""
    text = (DOCS / "nginx.conf").read_text()
    for old, new in {
        "/tmp/pypistats-nginx": str(folder),
        "127.0.0.1:5000": f"127.0.0.1:{site}",
        "127.0.0.1:8080": f"127.0.0.1:{port}",
    }.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


def varnish(folder: Path, port: int, site: int) -> list[str]:
    """Write docs/varnish.vcl for a port; return the command that runs it."""
    text = (DOCS / "varnish.vcl").read_text()
    assert '.port = "5000"' in text
    (folder / "varnish.vcl").write_text(text.replace('.port = "5000"', f'.port = "{site}"'))
    return [
        "varnishd", "-F", "-f", str(folder / "varnish.vcl"), "-p", "http_gzip_support=off",
        "-a", f"127.0.0.1:{port}", "-n", str(folder / "work"), "-s", "malloc,64m",
    ]  # fmt: skip


def varnish_behind_tls(folder: Path, port: int, site: int) -> list[str]:
    """Return the command of a Varnish that an end of TLS, at 127.0.0.2, tells who its client is."""
    return [*varnish(folder, port, site), "-a", f"127.0.0.2:{port},PROXY"]


def sent(port: int, text: str, *, address: str = "127.0.0.1") -> str:
    """Send a request as it is, which ends the connection; return all that comes back."""
    with socket.create_connection((address, port), PATIENCE) as connection:
        connection.sendall(text.encode())
        with connection.makefile("rb") as answer:
            return answer.read().decode()


class Cache:
    """A cache with the site behind it, whose log tells what it was asked for."""

    def __init__(self, web: Web, port: int, log: Path) -> None:
        self.web = web
        self.port = port
        self._log = log

    def get(self, path: str, **headers: str) -> Reply:
        return get(self.port, path, **headers)

    def asked(self, path: str) -> list[str]:
        """Return the statuses of the answers to a path that the site gave the cache.

        The site writes a line some moments after it has answered.
        """
        lines = [line.split() for line in self._log.read_text().splitlines()]
        return [status for status, found in lines if found == path]


@contextlib.contextmanager
def cached(
    command: Callable[[Path, int, int], list[str]], database: str, **environ: str
) -> Iterator[Cache]:
    """Run a cache and the site behind it."""
    with tempfile.TemporaryDirectory(prefix="pypistats-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        log = folder / "asked"
        web = Web(
            "tests.passing_app:make_app",
            DATABASE_URL=database,
            TRUSTED_PROXIES="1",
            ASKED=str(log),
            **{"WEB_CONCURRENCY": "2"} | environ,
        )
        port = free_port()
        proxy = subprocess.Popen(command(folder, port, web.port), stderr=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield Cache(web, port, log)
        finally:
            proxy.terminate()
            proxy.wait(PATIENCE)
            web.end()


@pytest.fixture(scope="module")
def database(web_database: str) -> str:
    app = create_app({"DATABASE_URL": web_database})
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(*(package_day(name) for name in NAMES)))
        db.engine.dispose()
    return web_database


@pytest.fixture(scope="module", params=[nginx, varnish])
def cache(request: pytest.FixtureRequest, database: str) -> Iterator[Cache]:
    with cached(request.param, database) as cache:
        yield cache


@pytest.mark.parametrize(
    "path",
    [
        "/", "/about", "/faqs", "/api", "/openapi.yaml", "/search?q=pa", "/top", "/robots.txt",
        "/packages/package-1", "/compare?packages=package-1,package-2", "/sitemap.xml",
        "/api/search?q=pa", "/api/top", "/api/packages/package-1/recent",
        "/api/packages/package-1/overall?mirrors=true", "/api/packages/package-1/system",
        "/api/packages/package-1/badge.json", "/badge/package-1.svg", "/status", "/api/status",
        "/api/packages/package-1/chart/system?format=json", "/packages/Package-1",
        "/nothing", "/api/packages/unknown/recent", "/badge/unknown.svg", "/search?q=%25",
    ],
)  # fmt: skip
def test_what_may_be_kept_is_asked_of_the_site_once(cache: Cache, path: str) -> None:
    first, second = cache.get(path), cache.get(path)

    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert (first.status, first.body) == (second.status, second.body)
    assert first.headers["cache-control"] == second.headers["cache-control"]
    assert "ratelimit" not in second.headers


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/api/packages/package-1/chart/system?format=json&nocache=1"]
)
def test_what_no_one_may_keep_passes_through(cache: Cache, path: str) -> None:
    replies = [cache.get(path) for _ in range(3)]

    assert {reply.headers["x-cache"] for reply in replies} == {"MISS"}
    assert {reply.headers["cache-control"] for reply in replies} == {"no-store"}
    until(lambda: len(cache.asked(path.partition("?")[0])) >= 3, "all came to the site")


def test_each_client_has_its_own_encoding(cache: Cache) -> None:
    accepted = ["br", "", "gzip, deflate, br", "gzip", "identity"]
    replies = [cache.get(MANY, Accept_Encoding=each) for each in accepted * 2]

    encodings = [reply.headers.get("content-encoding") for reply in replies]
    assert encodings == ["br", None, "br", "gzip", None] * 2
    plain = replies[1].body
    assert brotli.decompress(replies[0].body) == brotli.decompress(replies[2].body) == plain
    assert replies[4].body == plain
    assert len({reply.headers["etag"] for reply in replies}) == 3
    assert {reply.headers["vary"] for reply in replies} == {"Accept-Encoding"}
    until(lambda: cache.asked(MANY) == ["200"] * 3, "each encoding was asked for once")


def test_who_has_it_gets_no_body_from_the_cache(cache: Cache) -> None:
    known = cache.get("/faqs", Accept_Encoding="br")

    with contextlib.closing(Client(cache.port)) as client:
        same = client.ask("/faqs", Accept_Encoding="br", If_None_Match=known.headers["etag"])
        head = client.ask("/faqs", "HEAD", Accept_Encoding="br")
        other = client.ask("/faqs", Accept_Encoding="br", If_None_Match='"other"')

    assert (same.status, same.body, same.headers["etag"]) == (304, b"", known.headers["etag"])
    assert (head.status, head.body) == (200, b"")
    assert (other.status, other.body) == (200, known.body)
    assert {reply.headers["x-cache"] for reply in (same, head, other)} == {"HIT"}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br;q=0, gzip", "gzip"),
        ("br;q=0,zstd;q=0.5,gzip", "zstd"),
        ("gzip, zstd ; q=0.0 , br; Q=0.000", "gzip"),
        ("br;q=0, zstd;q=0, gzip;q=0", None),
        ("gzip;q=0.", None),
        ("br;q=0.001, gzip", "br"),
        ("gzip;q=0, br", "br"),
        ("gzip;q=0, zstd", "zstd"),
        ("br;q=1.0", "br"),
        ("X-Gzip", "gzip"),
        ("abracadabra", None),
    ],
)
def test_no_client_gets_an_encoding_that_it_refuses(
    cache: Cache, accepted: str, encoding: str | None
) -> None:
    assert cache.get("/faqs", Accept_Encoding=accepted).headers.get("content-encoding") == encoding


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
def test_the_end_of_an_address_is_no_encoding(cache: Cache, encoding: str) -> None:
    longer = cache.get(f"/search?q=package-{encoding}")
    shorter = cache.get("/search?q=package-", Accept_Encoding=encoding)

    assert longer.headers.get("content-encoding") is None
    assert shorter.headers["content-encoding"] == encoding


@pytest.mark.parametrize("path", ["/robots.txt", "/sitemap.xml", "/packages/package-2"])
@pytest.mark.parametrize(("name", "value"), MISLEADING)
def test_no_client_says_where_the_links_of_others_lead(
    cache: Cache, path: str, name: str, value: str
) -> None:
    address = f"{path}?{name}={value}"
    with contextlib.closing(Client(cache.port)) as client:
        client.ask(address, as_named={name: value})

    body = cache.get(address).body.decode()

    assert f"http://127.0.0.1:{cache.port}/" in body
    assert "javascript:" not in body
    assert "evil.example" not in body
    assert f"https://127.0.0.1:{cache.port}" not in body


def test_links_lead_to_the_host_and_port_that_was_asked_for(cache: Cache) -> None:
    with contextlib.closing(Client(cache.port)) as client:
        hosts = ["stats.example:8080", "stats.example", "stats.example:81"]
        texts = [client.ask("/robots.txt", as_named={"Host": host}).body.decode() for host in hosts]

    for host, text in zip(hosts, texts, strict=True):
        assert f"Sitemap: http://{host}/sitemap.xml\n" in text


def test_who_names_no_host_gets_an_answer_as_well(cache: Cache) -> None:
    answer = sent(cache.port, "GET /robots.txt?1.0 HTTP/1.0\r\n\r\n")

    assert answer.startswith("HTTP/1.1 200 ")
    assert "Sitemap: http://127.0.0.1" in answer


def test_varnish_behind_tls_gives_links_with_https_to_those_who_came_by_it(database: str) -> None:
    with cached(varnish_behind_tls, database) as cache:

        def robots(port: int) -> str:
            return sent(
                cache.port,
                f"PROXY TCP4 192.0.2.7 192.0.2.1 5555 {port}\r\n"
                "GET /robots.txt HTTP/1.1\r\nHost: stats.example\r\n"
                "X-Forwarded-Proto: javascript\r\nConnection: close\r\n\r\n",
                address="127.0.0.2",
            )

        for _ in range(2):
            assert "Sitemap: https://stats.example/sitemap.xml" in robots(443)
            assert "Sitemap: http://stats.example/sitemap.xml" in robots(80)


def test_a_hundred_at_once_are_one_request(cache: Cache) -> None:
    path = "/api/packages/package-7/python_minor"

    with ThreadPoolExecutor(100) as pool:
        replies = [each.result() for each in at_once(pool, 100, lambda: cache.get(path))]

    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    until(lambda: cache.asked(path) == ["200"], "the site was asked once")


def test_an_old_answer_is_asked_for_with_its_tag(cache: Cache) -> None:
    body = cache.get("/passing").body

    def is_revalidated() -> bool:
        assert cache.get("/passing").body == body
        return "304" in cache.asked("/passing")

    until(is_revalidated, "the site has told that it still holds")
    assert cache.asked("/passing").count("200") == 1


@pytest.mark.parametrize("command", [nginx, varnish])
def test_the_client_is_who_the_cache_sees_whatever_it_says(
    database: str, command: Callable[[Path, int, int], list[str]]
) -> None:
    limited = {"RATE_LIMIT_COMPUTED": "3/86400", "WEB_CONCURRENCY": "1"}
    with cached(command, database, **limited) as cache:

        def statuses(address: str, first: int, **forged: str) -> list[int]:
            with contextlib.closing(Client(cache.port, address=address)) as client:
                paths = [f"/badge/{name}.svg" for name in NAMES[first : first + 10]]
                return [client.ask(path, as_named=forged).status for path in paths]

        assert 429 in statuses("127.0.0.1", 0)
        for name in FORGED:
            assert set(statuses("127.0.0.1", 10, **{name: "192.0.2.7"})) == {429}
        assert statuses("127.0.0.2", 20, **{"X-Forwarded-For": "127.0.0.1"})[0] == 200


@pytest.mark.parametrize("command", [nginx, varnish])
def test_when_the_site_is_gone_what_there_was_is_given(
    database: str, command: Callable[[Path, int, int], list[str]]
) -> None:
    with cached(command, database) as cache:
        before = {path: cache.get(path) for path in ("/passing", "/", "/badge/package-1.svg")}
        cache.web.kill()

        until(lambda: cache.get("/health").status >= 500, "the cache knows that the site is gone")
        for _ in range(3):
            for path, reply in before.items():
                assert (cache.get(path).status, cache.get(path).body) == (200, reply.body)
