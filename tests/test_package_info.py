"""A page of a package has PyPI asked about it, once a day, and never waits for the answer."""

import contextlib
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import redis
from celery import Celery
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from pypistats import create_app, ingest, provision, pypi_store, queries, store
from pypistats.answers import MOMENT
from pypistats.demand import Demand
from pypistats.embedded import ValkeyServer
from pypistats.extensions import db
from pypistats.messages import WANTS_QUEUE
from pypistats.sources import SourceError
from tests.fixed_source import DAY, FixedSource, package_day
from tests.network import free_port
from tests.pipeline_processes import until
from tests.scripted_server import ScriptedServer, answer

DOCUMENT = orjson.dumps({"info": {"summary": "A framework", "version": "3.1"}})


@pytest.fixture
def site(app: Flask, valkey_server: ValkeyServer, scripted: ScriptedServer) -> Iterator[Flask]:
    """Give a site with one package, a queue, and a server in PyPI's place."""
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))
    redis.from_url(valkey_server.url).flushall()
    with site_of(app, REDIS_URL=valkey_server.url, PYPI_URL=scripted.url) as site:
        yield site


@contextlib.contextmanager
def site_of(app: Flask, **settings: str) -> Iterator[Flask]:
    """Give a second app on the same database; its Celery is the one that tasks are found by."""
    defaults = {"DATABASE_URL": app.config["DATABASE_URL"], "REVISION_SECONDS": "0"}
    site = create_app(defaults | settings)
    yield site
    with site.app_context():
        db.engine.dispose()
    app.extensions["celery"].set_default()


def open_page(client: FlaskClient, path: str = "/packages/flask") -> int:
    """Open a page; what that has asked for is asked before this returns."""
    with client.get(path) as response:
        client.application.extensions["page_watch"].look()
        return response.status_code


def queued(site: Flask) -> int:
    """Return how many tasks wait in the queue."""
    with redis.from_url(site.config["REDIS_URL"]) as client:
        return int(client.llen(WANTS_QUEUE))


def run(site: Flask, task: str, *arguments: object) -> Any:
    celery: Celery = site.extensions["celery"]
    celery.loader.import_default_modules()
    return celery.tasks[task](*arguments)


def forget(site: Flask) -> None:
    """Make the process forget which packages it has looked at."""
    site.extensions["demand"] = Demand(1)


def outdate(site: Flask) -> None:
    with site.app_context(), store.transaction():
        db.session.execute(text("update package_info set checked_at = now() - interval '25 hours'"))
        db.session.execute(text("update wants set due_at = now()"))
    forget(site)


def test_many_who_open_a_page_have_pypi_asked_once(site: Flask, scripted: ScriptedServer) -> None:
    scripted.scripts["/pypi/flask/json"] = answer(DOCUMENT)
    for _ in range(5):
        forget(site)
        assert open_page(site.test_client()) == 200
    assert queued(site) == 1
    assert scripted.requests == []

    assert run(site, "refresh-package-info", "flask") == "3.1"
    assert run(site, "refresh-package-info", "flask") is None

    with site.app_context():
        info = queries.package_info("flask")
    assert info is not None
    assert info.summary == "A framework"
    assert len(scripted.requests) == 1
    forget(site)
    assert open_page(site.test_client()) == 200
    assert queued(site) == 1


def test_a_page_without_what_pypi_tells_is_kept_for_a_moment_only(
    site: Flask, scripted: ScriptedServer
) -> None:
    scripted.scripts["/pypi/flask/json"] = answer(DOCUMENT)
    client = site.test_client()

    def how_long(path: str) -> str:
        header = client.get(path).headers["Cache-Control"]
        site.extensions["page_watch"].look()
        return header

    lacking = [how_long("/packages/flask") for _ in range(2)]
    run(site, "refresh-package-info", "flask")

    assert lacking == [MOMENT, MOMENT]
    for path in ("/packages/flask", "/packages/flask", "/packages/__all__"):
        assert how_long(path).startswith("public, max-age=300,")


def test_what_is_older_than_a_day_is_asked_again(site: Flask) -> None:
    with site.app_context(), store.transaction():
        pypi_store.save_info("flask", None)
    open_page(site.test_client())
    assert queued(site) == 0

    outdate(site)
    open_page(site.test_client())

    assert queued(site) == 1


def test_pages_opened_together_are_asked_about_together_and_not_too_many(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"package-{number}" for number in range(4)]
    with site.app_context():
        ingest.ingest_day(DAY, FixedSource(*map(package_day, names)))
    monkeypatch.setattr("pypistats.demand.MOST_GATHERED", 3)
    monkeypatch.setattr("pypistats.demand.GATHER_SECONDS", 60)
    for name in names:
        site.test_client().get(f"/packages/{name}").close()

    open_page(site.test_client(), "/")
    assert queued(site) == 3

    open_page(site.test_client(), "/packages/package-3")
    assert queued(site) == 4


def test_a_package_whose_page_came_only_now_is_asked_about_at_once(site: Flask) -> None:
    client = site.test_client()
    assert open_page(client, "/packages/late") == 404

    with site.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask"), package_day("late")))

    assert open_page(client, "/packages/late") == 200
    assert queued(site) == 1


def test_pages_are_looked_at_by_themselves(site: Flask) -> None:
    site.test_client().get("/packages/flask").close()

    until(lambda: queued(site) == 1, "a question about the package")


@pytest.mark.parametrize("path", ["/packages/Flask", "/packages/__all__", "/packages/unknown", "/"])
def test_other_pages_ask_for_nothing(site: Flask, path: str) -> None:
    open_page(site.test_client(), path)

    assert queued(site) == 0


def test_what_failed_is_kept_and_tried_again(site: Flask, scripted: ScriptedServer) -> None:
    scripted.scripts["/pypi/flask/json"] = answer(b"", 500)
    assert open_page(site.test_client()) == 200

    with pytest.raises(SourceError, match="status 500"):
        run(site, "refresh-package-info", "flask")

    with site.app_context():
        assert "status 500" in str(db.session.execute(text("select error from wants")).scalar())
        assert queries.package_info("flask") is None
    outdate(site)
    assert run(site, "queue-wants") == ["flask"]
    assert queued(site) == 2


def test_a_page_is_answered_while_the_queue_is_away_and_the_want_is_kept(
    app: Flask, scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))
    away = f"redis://127.0.0.1:{free_port()}"

    with site_of(app, REDIS_URL=away, PYPI_URL=scripted.url) as site:
        assert open_page(site.test_client()) == 200

    assert "refresh-package-info flask can't be queued" in caplog.text
    with app.app_context():
        assert db.session.execute(text("select package from wants")).scalars().all() == ["flask"]


def test_the_names_are_loaded_once_a_day(site: Flask, scripted: ScriptedServer) -> None:
    names = {"meta": {}, "projects": [{"name": "Flask"}, {"name": "zope.interface"}]}
    scripted.scripts["/simple/"] = answer(orjson.dumps(names))

    assert run(site, "refresh-names") == 2
    assert run(site, "refresh-names") is None

    with site.app_context():
        assert provision.supply("zope-interface").is_known is True
    assert len(scripted.requests) == 1


def test_a_list_that_fails_leaves_the_names_and_is_tried_later(
    site: Flask, scripted: ScriptedServer
) -> None:
    with site.app_context(), store.transaction():
        pypi_store.replace_names(["flask", "requests", "django"])
    scripted.scripts["/simple/"] = answer(b'{"projects": [{"name": "flask"}]}')

    with pytest.raises(SourceError, match="1 names, after 3"):
        run(site, "refresh-names")
    assert run(site, "refresh-names") is None

    with site.app_context():
        assert provision.supply("django").is_known is True
