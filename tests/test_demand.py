"""Where packages are tracked, one that is asked for is fetched once, while its askers wait."""

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from pypistats import create_app, ingest, pypi_store, store, tasks, tracked, wants
from pypistats.answers import MOMENT
from pypistats.demand import PACKAGE, PACKAGE_RULES, TASKS, Demand, _want
from pypistats.embedded import ValkeyServer
from pypistats.extensions import db
from pypistats.messages import DAYS_QUEUE, WANTS_QUEUE
from pypistats.sources import BudgetError, SourceError
from pypistats.wants import Want
from tests.fixed_source import DAY, FixedSource, package_day
from tests.front_time import FrontTime
from tests.network import free_port

RECENT = "/api/packages/{}/recent"
CLIENTS = 20


@pytest.fixture
def site(app: Flask, valkey_server: ValkeyServer) -> Iterator[Flask]:
    """Give a site that tracks packages: one is, and PyPI knows three."""
    with app.app_context():
        ingest.ingest_day(DAY, FixedSource(package_day("flask")))
        with store.transaction():
            tracked.record_fetch("flask", DAY, empty=False)
            pypi_store.replace_names(["flask", "numpy", "nobody"])
    redis.from_url(valkey_server.url).flushall()
    with site_of(app, REDIS_URL=valkey_server.url) as site:
        yield site


@contextlib.contextmanager
def site_of(app: Flask, **settings: str) -> Iterator[Flask]:
    """Give a second app on the same database; its Celery is the one that tasks are found by."""
    tracking = {"SOURCE": "sample", "INGEST_SCOPE": "tracked", "REVISION_SECONDS": "0"}
    defaults = {"DATABASE_URL": app.config["DATABASE_URL"], "ON_DEMAND_WAIT": "30"} | tracking
    site = create_app(defaults | settings)
    site.extensions["celery"].loader.import_default_modules()
    yield site
    with site.app_context():
        db.engine.dispose()
    app.extensions["celery"].set_default()


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> "SlowSource":
    """Put a source that waits in the place of the schedule's."""
    source = SlowSource()
    monkeypatch.setattr(tasks, "open_source", lambda *_, **__: source)
    return source


class SlowSource(FixedSource):
    """Gives what it has of a package once it is let go, and keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(package_day("numpy"), package_day("flask"))
        self.go = threading.Event()
        self.go.set()
        self.asked: list[str] = []
        self.error: SourceError | None = None

    def fetch(self, since, until, packages=None):  # type: ignore[no-untyped-def]
        self.asked += packages
        assert self.go.wait(30)
        if self.error is not None:
            raise self.error
        return super().fetch(since, until, packages)


class Worker(threading.Thread):
    """Fetches the packages that the queue of wants names, as `worker` does, until told to stop.

    PyPI is asked about a package a second after its page is sent, maybe in the next test: such a
    message is left aside.
    """

    def __init__(self, site: Flask) -> None:
        super().__init__()
        self._site = site
        self._stopping = threading.Event()
        self.sent: list[str] = []

    def run(self) -> None:
        celery = self._site.extensions["celery"]
        with (
            celery.connection_for_read() as connection,
            connection.SimpleQueue(WANTS_QUEUE) as queue,
        ):
            while not self._stopping.is_set():
                with contextlib.suppress(queue.Empty):
                    message = queue.get(timeout=0.05)
                    message.ack()
                    self._do(celery, message)

    def _do(self, celery: Any, message: Any) -> None:
        task = message.headers["task"]
        if task != TASKS[PACKAGE]:
            return
        (argument,), *_ = message.payload
        self.sent.append(argument)
        with contextlib.suppress(SourceError):
            celery.tasks[task](argument)

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self.join()


def get(site: Flask, path: str, **options: Any) -> TestResponse:
    with site.test_client() as client:
        return client.get(path, **options)


def queued(site: Flask, queue: str = WANTS_QUEUE) -> int:
    with redis.from_url(site.config["REDIS_URL"]) as client:
        return int(client.llen(queue))


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "path",
    ["/api/packages/flask{}/recent", "/api/compare?packages=flask{}", "/compare?packages=flask{}"],
)
def test_an_answer_that_lacks_a_package_is_kept_for_a_moment_only(site: Flask, path: str) -> None:
    def how_long(others: str) -> str:
        return get(site, path.format(others)).headers["Cache-Control"]

    assert [how_long(",numpy"), how_long(",numpy")] == [MOMENT, MOMENT]
    assert how_long("").startswith("public, max-age=300,")


def test_a_tracked_package_is_answered_at_once_and_nothing_is_fetched(
    site: Flask, source: SlowSource
) -> None:
    response = get(site, RECENT.format("Flask"))
    page = get(site, "/packages/flask")

    assert response.get_json()["data"]["last_day"] == 10
    assert response.headers["Cache-Control"].startswith("public")
    assert page.status_code == 200
    assert source.asked == []


@pytest.mark.parametrize(
    "path",
    [
        RECENT.format("numpy"),
        "/api/packages/NumPy/overall",
        "/api/packages/numpy/badge.json",
        "/badge/numpy.svg",
        "/packages/numpy",
    ],
)
def test_a_package_that_is_not_there_is_fetched_while_its_asker_waits(
    site: Flask, source: SlowSource, path: str
) -> None:
    with Worker(site):
        response = get(site, path)

    assert response.status_code == 200
    assert source.asked == ["numpy"]
    assert get(site, RECENT.format("numpy")).get_json()["data"]["last_day"] == 10
    assert get(site, RECENT.format("__all__")).get_json()["data"]["last_day"] == 20
    assert source.asked == ["numpy"]


def test_many_askers_make_one_fetch_and_all_have_its_answer(
    site: Flask, source: SlowSource
) -> None:
    site.extensions["demand"] = Demand(CLIENTS)
    source.go.clear()
    with ThreadPoolExecutor(CLIENTS) as pool, Worker(site) as worker:
        answers = [pool.submit(get, site, RECENT.format("numpy")) for _ in range(CLIENTS)]
        until(lambda: source.asked == ["numpy"])
        source.go.set()
        found = [answer.result(timeout=60) for answer in answers]

    assert [answer.status_code for answer in found] == [200] * CLIENTS
    assert {answer.get_data() for answer in found} == {found[0].get_data()}
    assert worker.sent == source.asked == ["numpy"]


def test_what_came_after_one_has_looked_is_not_fetched_again(site: Flask) -> None:
    with Worker(site) as worker:
        assert get(site, RECENT.format("numpy")).status_code == 200

        with site.test_request_context(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("pypistats.demand.spend", lambda _: 1 / 0)
            _want("numpy")

    assert worker.sent == ["numpy"]


def test_waiting_requests_hold_no_connection_and_leave_threads_to_others(
    site: Flask, source: SlowSource
) -> None:
    places = site.config["WEB_THREADS"] // 2
    source.go.clear()
    with ThreadPoolExecutor(places) as pool, Worker(site):
        answers = [pool.submit(get, site, RECENT.format("numpy")) for _ in range(places)]
        until(lambda: source.asked == ["numpy"])
        until(lambda: site.extensions["demand"].places._value == 0)

        refused = get(site, RECENT.format("numpy"))
        others = [get(site, RECENT.format("flask")).status_code for _ in range(3)]
        source.go.set()
        found = [answer.result(timeout=60).status_code for answer in answers]

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert others == [200] * 3
    assert found == [200] * places
    with site.app_context():
        assert db.engine.pool.checkedout() == 0


def test_who_has_waited_enough_is_told_when_to_ask_again(app: Flask, site: Flask) -> None:
    with site_of(app, REDIS_URL=site.config["REDIS_URL"], ON_DEMAND_WAIT="0") as hasty:
        document = get(hasty, RECENT.format("numpy"))
        page = get(hasty, "/packages/numpy")
        badge = get(hasty, "/badge/numpy.svg")

    assert document.get_json() == {
        "error": {
            "status": 503,
            "name": "Service Unavailable",
            "message": "The downloads of numpy are being fetched.",
            "parameter": None,
        }
    }
    for answer in (document, page, badge):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.headers["Cache-Control"] == "no-store"
    assert page.headers["Refresh"] == "5"
    assert "loads again by itself in 5 seconds" in page.text
    assert (
        "The downloads of numpy are being fetched." in BeautifulSoup(page.data, "html.parser").text
    )
    assert queued(site) == 1


@pytest.mark.parametrize("path", [RECENT, "/packages/{}", "/api/packages/{}/summary"])
def test_a_name_that_pypi_does_not_know_is_not_found_without_a_fetch(
    site: Flask, path: str
) -> None:
    for number in range(50):
        assert get(site, path.format(f"random-{number}")).status_code == 404

    assert queued(site) == 0
    with site.app_context():
        assert db.session.execute(text("select count(*) from wants")).scalar() == 0


def test_a_known_package_without_downloads_is_empty_and_asked_for_once(
    site: Flask, source: SlowSource
) -> None:
    with Worker(site):
        answers = [get(site, RECENT.format("nobody")) for _ in range(3)]
        series = get(site, "/api/packages/nobody/overall")

    assert [answer.get_json()["data"]["last_month"] for answer in answers] == [0, 0, 0]
    assert series.get_json()["data"] == []
    assert source.asked == ["nobody"]


def test_what_is_not_up_to_date_is_answered_at_once_and_fetched_meanwhile(
    site: Flask, source: SlowSource
) -> None:
    with site.app_context(), store.transaction():
        db.session.execute(text("update tracked_packages set until = until - 1"))

    first, second = (get(site, RECENT.format("flask")) for _ in range(2))
    assert first.get_json() == second.get_json()
    assert first.get_json()["data"]["last_day"] == 10
    assert first.headers["Cache-Control"] == "no-store"
    assert queued(site) == 1

    source.rows = (package_day("flask", downloads=70),)
    with Worker(site):
        until(lambda: queued(site) == 0 and source.asked == ["flask"])
    after = get(site, RECENT.format("flask"))
    assert after.get_json()["data"]["last_day"] == 70
    assert after.headers["Cache-Control"].startswith("public")


def test_an_address_that_was_sent_lately_is_looked_at_again_after_a_minute(
    site: Flask, front_time: FrontTime
) -> None:
    path = RECENT.format("flask")
    get(site, path)
    with site.app_context(), store.transaction():
        db.session.execute(text("update tracked_packages set until = until - 1"))

    assert get(site, path).headers["Cache-Control"].startswith("public")
    assert queued(site) == 0
    front_time.wait(60)
    assert get(site, path).headers["Cache-Control"] == "no-store"
    assert queued(site) == 1


def test_a_fetch_that_fails_is_told_and_tried_again_later(site: Flask, source: SlowSource) -> None:
    source.error = SourceError("BigQuery is away")

    with Worker(site) as worker:
        first = get(site, RECENT.format("numpy"))
        second = get(site, RECENT.format("numpy"))

    assert [first.status_code, second.status_code] == [503, 503]
    assert 2 <= int(second.headers["Retry-After"]) <= 15
    assert "could not be fetched" in second.get_json()["error"]["message"]
    assert worker.sent == ["numpy"]


def test_a_budget_that_is_gone_is_told_until_midnight_and_stale_data_given(site: Flask) -> None:
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0) + dt.timedelta(days=1)
    with site.app_context(), store.transaction():
        db.session.execute(text("update tracked_packages set until = until - 1"))
        db.session.execute(
            text("insert into chores (name, due_at) values ('budget-gone', :midnight)"),
            {"midnight": midnight},
        )

    answer = get(site, RECENT.format("numpy"))
    assert answer.status_code == 503
    assert "No more downloads are fetched today" in answer.get_json()["error"]["message"]
    assert "Refresh" not in get(site, "/packages/numpy").headers
    left = (midnight - dt.datetime.now(dt.UTC)).total_seconds()
    assert abs(int(answer.headers["Retry-After"]) - left) < 60
    assert get(site, RECENT.format("flask")).get_json()["data"]["last_day"] == 10
    assert queued(site) == 0


def test_a_want_that_the_budget_has_no_room_for_waits_for_it(
    site: Flask, source: SlowSource
) -> None:
    source.error = BudgetError("nothing is left", dt.datetime(2126, 1, 1, tzinfo=dt.UTC))

    with Worker(site) as worker:
        answers = [get(site, RECENT.format("numpy")) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert int(answers[1].headers["Retry-After"]) > 10**9
    assert worker.sent == ["numpy"]


def test_one_client_may_have_so_many_packages_fetched(app: Flask, site: Flask) -> None:
    settings = {
        "REDIS_URL": site.config["REDIS_URL"],
        "RATE_LIMIT_FETCH": "1/3600",
        "ON_DEMAND_WAIT": "0",
    }
    with site_of(app, **settings) as strict:
        first = get(strict, RECENT.format("numpy"))
        again = get(strict, RECENT.format("numpy"))
        second = get(strict, RECENT.format("nobody"))
        other = get(strict, RECENT.format("nobody"), environ_base={"REMOTE_ADDR": "192.0.2.1"})

    assert [first.status_code, again.status_code, second.status_code, other.status_code] == [
        503,
        503,
        429,
        503,
    ]
    assert queued(site) == 2
    with site.app_context(), store.transaction():
        assert wants.add([Want("package", "nobody")]) == []


def test_stale_data_is_given_to_a_client_that_may_have_nothing_fetched(
    app: Flask, site: Flask
) -> None:
    with site.app_context(), store.transaction():
        db.session.execute(text("update tracked_packages set until = until - 1"))
    settings = {"REDIS_URL": site.config["REDIS_URL"], "RATE_LIMIT_FETCH": "1/3600"}

    with site_of(app, **settings, ON_DEMAND_WAIT="0") as strict:
        get(strict, RECENT.format("numpy"))
        assert get(strict, RECENT.format("flask")).status_code == 200

    assert queued(site) == 1


def test_while_the_names_are_not_loaded_they_are_asked_for(site: Flask) -> None:
    with site.app_context(), store.transaction():
        db.session.execute(text("truncate known_names"))

    answers = [get(site, RECENT.format("numpy")) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert "list of names is being loaded" in answers[0].get_json()["error"]["message"]
    assert get(site, RECENT.format("flask")).status_code == 200
    assert (queued(site, DAYS_QUEUE), queued(site)) == (1, 0)


def test_without_pypi_only_what_is_there_is_answered(app: Flask, site: Flask) -> None:
    with site.app_context(), store.transaction():
        db.session.execute(text("truncate known_names"))

    with site_of(app, REDIS_URL=site.config["REDIS_URL"], PYPI_URL="none") as alone:
        assert get(alone, RECENT.format("numpy")).status_code == 404
        assert get(alone, RECENT.format("flask")).status_code == 200


def test_a_want_is_kept_and_told_of_later_while_the_queue_is_away(app: Flask, site: Flask) -> None:
    away = f"redis://127.0.0.1:{free_port()}"
    with site_of(app, REDIS_URL=away, ON_DEMAND_WAIT="0") as cut_off:
        assert get(cut_off, RECENT.format("numpy")).status_code == 503
    with site.app_context(), store.transaction():
        db.session.execute(text("update wants set due_at = now()"))

    with site.app_context():
        assert site.extensions["celery"].tasks["queue-wants"]() == ["numpy"]
    assert queued(site) == 1


def test_listed_packages_are_fetched_before_anyone_asks(
    app: Flask, site: Flask, tmp_path: Any
) -> None:
    path = tmp_path / "names"
    path.write_text("numpy\nflask\n")

    with site_of(app, REDIS_URL=site.config["REDIS_URL"], TRACKED_FILE=str(path)) as listing:
        queue_wants = listing.extensions["celery"].tasks["queue-wants"]
        assert [queue_wants(), queue_wants()] == [["numpy"], []]

    assert queued(site) == 1


def test_a_day_is_loaded_for_the_tracked_packages_only(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = DAY + dt.timedelta(days=1)
    rows = [package_day(name, day) for name in ("flask", "numpy")]
    monkeypatch.setattr(tasks, "open_source", lambda *_, **__: FixedSource(*rows))

    site.extensions["celery"].tasks["ingest-day"](day.isoformat())

    assert get(site, RECENT.format("flask")).get_json()["data"]["last_week"] == 20
    assert get(site, RECENT.format("__all__")).get_json()["data"]["last_week"] == 20
    assert get(site, RECENT.format("random")).status_code == 404


def test_nothing_is_due_while_nothing_is_tracked(site: Flask) -> None:
    with site.app_context(), store.transaction():
        db.session.execute(text("truncate tracked_packages"))

    assert site.extensions["celery"].tasks["queue-due-days"]() == []


def test_the_wants_come_after_the_days(site: Flask) -> None:
    celery = site.extensions["celery"]

    assert [queue.name for queue in celery.conf.task_queues] == [DAYS_QUEUE, WANTS_QUEUE]
    assert celery.conf.broker_transport_options["queue_order_strategy"] == "priority"
    assert celery.conf.task_routes["fetch-package"] == {"queue": WANTS_QUEUE}


def test_every_address_of_a_package_has_it_fetched(site: Flask) -> None:
    named = {rule.rule for rule in site.url_map.iter_rules() if "name" in rule.arguments}

    assert {rule for rule in named if not rule.startswith(PACKAGE_RULES)} <= {"/search/<name>"}


def test_asking_what_may_be_asked_fetches_nothing(site: Flask) -> None:
    with site.test_client() as client:
        assert client.options(RECENT.format("numpy")).status_code == 200

    assert get(site, "/search/numpy").status_code == 301
    assert get(site, "/api/packages/a,b/recent").status_code == 200
    assert get(site, RECENT.format("no such name")).status_code == 404
    assert queued(site) == 0


@pytest.mark.parametrize(
    "path",
    [
        *(f"/api/packages/__all__/{kind}" for kind in ("recent", "overall", "system", "summary")),
        "/api/packages/__all__/badge.json",
        "/badge/__all__.svg",
        "/api/packages/__all__/chart/overall?format=json",
        "/packages/__all__",
        "/",
    ],
)
def test_the_sum_says_that_it_is_of_tracked_packages_wherever_it_shows(
    app: Flask, site: Flask, path: str
) -> None:
    of_tracked, of_all = get(site, path), get(app, path)
    of_one = get(site, path.replace("__all__", "flask"))

    assert (of_tracked.status_code, of_all.status_code) == (200, 200)
    assert "tracked" in of_tracked.text
    assert "tracked" not in of_all.text
    if path.startswith("/api"):
        assert "tracked" not in of_one.text


def test_searching_by_a_full_name_opens_what_is_not_fetched_yet(app: Flask, site: Flask) -> None:
    found, not_known = get(site, "/search?q=NumPy"), get(site, "/search?q=random")

    assert (found.status_code, found.headers["Location"]) == (302, "/packages/numpy")
    assert not_known.status_code == 200
    assert get(app, "/search?q=numpy").status_code == 200
    assert "Open any package" in get(site, "/").text
    assert "Open any package" not in get(app, "/").text
