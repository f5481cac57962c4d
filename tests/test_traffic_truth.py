"""What `make bench-traffic` holds answers against tells true ones from old and from mixed ones."""

import datetime as dt
from pathlib import Path

import orjson
import pytest
from flask import Flask
from sqlalchemy.engine import make_url

from benchmarks.package_days import GeneratedSource, generate, package_days
from benchmarks.traffic import KINDS
from benchmarks.traffic_client import Body, Request
from benchmarks.traffic_truth import AFTER, BEFORE, NEITHER, Judge
from pypistats import ingest, queries

PACKAGES = 20
OLD_DAY, NEW_DAY = dt.date(2026, 3, 2), dt.date(2026, 3, 3)
KINDS_TOLD = sorted(set(KINDS) - {"picture"})

Bodies = dict[str, Body]


@pytest.fixture
def name() -> str:
    """Give a package of both days."""
    both = [{row.package for row in package_days(day, PACKAGES)} for day in (OLD_DAY, NEW_DAY)]
    return min(set.intersection(*both))


@pytest.fixture
def asked(app: Flask, tmp_path: Path, name: str) -> tuple[Judge, Bodies, Bodies]:
    """Give what tells the truth, and the answers of all kinds before and after the new day."""
    with app.app_context():
        for day in (OLD_DAY, NEW_DAY):
            generate(tmp_path, day, PACKAGES)
        ingest.ingest_day(OLD_DAY, GeneratedSource(tmp_path))
        totals = {each: queries.total(each) for each in (name, "__all__")}
    before = answers(app, name)
    with app.app_context():
        ingest.ingest_day(NEW_DAY, GeneratedSource(tmp_path))
    url = make_url(app.config["DATABASE_URL"]).set(drivername="postgresql")
    judge = Judge(url.render_as_string(hide_password=False), tmp_path, NEW_DAY, totals)
    return judge, before, answers(app, name)


def answers(app: Flask, name: str) -> Bodies:
    found = {}
    for kind in KINDS_TOLD:
        _, address, encodings = KINDS[kind]
        package = "__all__" if kind == "start" else name
        request = Request(kind, address.format(package), package, encodings)
        answer = app.test_client().get(request.path, headers={"Accept-Encoding": encodings})
        encoding = answer.headers.get("Content-Encoding", "")
        found[kind] = Body(request, answer.status_code, encoding, answer.data)
    return found


def test_true_answers_are_known_for_what_they_are(asked: tuple[Judge, Bodies, Bodies]) -> None:
    judge, before, after = asked

    assert judge.judge(before) == {kind: {BEFORE} for kind in KINDS_TOLD}
    assert judge.judge(after) == {kind: {AFTER} for kind in KINDS_TOLD}


def test_a_mixture_of_two_days_is_neither(asked: tuple[Judge, Bodies, Bodies]) -> None:
    judge, before, after = asked
    old, new = (orjson.loads(bodies["recent"].content) for bodies in (before, after))
    old["data"]["last_day"] = new["data"]["last_day"]
    recent = before["recent"]._replace(content=orjson.dumps(old))

    assert judge.judge({"recent": recent}) == {"recent": NEITHER}


def test_a_name_that_nobody_has_is_not_found(asked: tuple[Judge, Bodies, Bodies]) -> None:
    judge, before, _ = asked
    request = Request("recent", "/api/packages/nobody/recent", None, "gzip")
    body = before["recent"]._replace(request=request)

    assert judge.judge({"one": body._replace(status=404)}) == {"one": {BEFORE, AFTER}}
    assert judge.judge({"one": body}) == {"one": NEITHER}
