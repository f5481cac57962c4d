"""Whatever goes wrong at ClickHouse is a SourceError that says what, and never a short day."""

import json
from typing import Any

import pytest

from pypistats.sources import SourceError, clickhouse
from pypistats.sources.clickhouse import COLUMNS, COUNT_COLUMNS, ClickHouseSource
from pypistats.sources.web import Bounds
from tests.download_rows import DAY
from tests.scripted_server import Handler, Script, ScriptedServer, answer, cut, drip, hang

BOUNDS = Bounds(total=3, size=10_000, idle=1)
NEXT_DAY = DAY.replace(day=DAY.day + 1)


def row(day: str = "2026-03-15", read: int = 3, count: object = 1) -> list[Any]:
    """Return a row as the server writes it."""
    maps = {"3.12": 2}, {"Linux": 2}, {"pip": 2, "null": 1}, {"1": 2}
    return [day, "flask", 3, 2, *maps, read, count]


def lines(*rows: object, columns: tuple[str, ...] = COLUMNS) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in (columns, *rows))


def counting(script: Script, *days: str) -> Script:
    """Answer that each day has three downloads, and what is asked after that by `script`."""
    days = days or ("2026-03-15",)
    counts = [[day, "flask", 3, len(days)] for day in days]
    counted = answer(lines(*counts, columns=COUNT_COLUMNS))

    def script_of(handler: Handler) -> None:
        counts_asked = b"pypi_downloads_per_day" in handler.server.requests[-1].body
        (counted if counts_asked else script)(handler)

    return script_of


READ_LIMIT = b"Code: 158. DB::Exception: Limit for rows exceeded. (TOO_MANY_ROWS)"
OOM = b"Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)"
BROKEN = b"Code: 210. DB::Exception: Connection reset. (NETWORK_ERROR)"

FAULTS = [
    pytest.param(answer(BROKEN, 500), "status 500, Code: 210", id="500"),
    pytest.param(answer(b"", 503), "status 503, nothing", id="503"),
    pytest.param(answer(b"<html>hello</html>"), "status 200, <html>hello", id="html"),
    pytest.param(answer(b""), "status 200, nothing", id="empty"),
    pytest.param(answer(b"[1, 2]\n"), r"status 200, \[1, 2\]", id="columns"),
    pytest.param(answer(b"", 302, Location="/elsewhere"), "status 302", id="redirect"),
    pytest.param(answer(lines(row()) + BROKEN), "status 200, Code: 210", id="text-after-200"),
    pytest.param(
        answer(lines(row()) + b"\r\n__exception__\r\nPU1\r\n" + BROKEN + b"\r\n60 PU1"),
        "status 200, __exception__ PU1 Code: 210",
        id="tagged-text-after-200",
    ),
    pytest.param(answer(lines({"exception": BROKEN.decode()})), "Code: 210", id="row-of-text"),
    pytest.param(answer(lines(row()[:5])), "status 200", id="short-row"),
    pytest.param(answer(lines(row(read=2))), "read 2 of 3 downloads", id="read-cut"),
    pytest.param(answer(lines()), "read 0 of 3 downloads", id="nothing-read"),
    pytest.param(answer(lines([*row()[:4], 1, 2, 3, 4, 3, 1])), "no such rows", id="no-maps"),
    pytest.param(answer(lines(row(day="yesterday"))), "yesterday", id="no-day"),
    pytest.param(answer(lines(row())[:-20]), "status 200", id="half-a-row"),
    pytest.param(answer(lines(row(), row())), "gave 2 of 1 rows", id="more-rows-than-told"),
    pytest.param(answer(lines(row(count=2))), "gave 1 of 2 rows", id="fewer-rows-than-told"),
    pytest.param(answer(READ_LIMIT, 500), "can't give flask, .*TOO_MANY_ROWS", id="read-limit"),
    pytest.param(answer(lines() + OOM), "can't give flask, .*MEMORY", id="limit-after-200"),
    pytest.param(answer(b"x" * 10_001), "more than 10,000 bytes", id="huge"),
    pytest.param(hang, "does not answer: .*timed out", id="hang"),
    pytest.param(cut, "does not answer: .*IncompleteRead", id="cut"),
    pytest.param(drip, "more than 3 s", id="drip"),
]


def source_of(server: ScriptedServer) -> ClickHouseSource:
    return ClickHouseSource(
        server.url, user="play", password="p w", database="other", bounds=BOUNDS
    )


@pytest.mark.parametrize(("fault", "fact"), FAULTS)
def test_a_bad_answer_is_a_source_error(scripted: ScriptedServer, fault: Script, fact: str) -> None:
    scripted.scripts["/"] = counting(fault)

    with pytest.raises(SourceError, match=fact) as caught:
        list(source_of(scripted).fetch(DAY, DAY, ["flask"]))

    assert len(str(caught.value)) < 500
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(("fault", "fact"), FAULTS[:6])
def test_a_bad_answer_to_the_first_question_is_a_source_error(
    scripted: ScriptedServer, fault: Script, fact: str
) -> None:
    scripted.scripts["/"] = fault

    with pytest.raises(SourceError, match=fact):
        list(source_of(scripted).fetch(DAY, DAY, ["flask"]))


def test_counts_that_were_cut_are_asked_in_parts(scripted: ScriptedServer) -> None:
    scripted.scripts["/"] = answer(lines(["2026-03-15", "flask", 3, 2], columns=COUNT_COLUMNS))

    with pytest.raises(SourceError, match=r"can't give flask, 2026-03-15 .*gave 1 of 2 rows"):
        list(source_of(scripted).fetch(DAY, NEXT_DAY, ["flask"]))

    assert len(scripted.requests) == 2


def test_a_server_that_is_not_there_is_a_source_error(scripted: ScriptedServer) -> None:
    scripted.close()

    with pytest.raises(SourceError, match=r"does not answer: .*refused"):
        list(source_of(scripted).fetch(DAY, DAY, ["flask"]))


def test_a_range_that_is_too_much_is_asked_day_by_day(scripted: ScriptedServer) -> None:
    def choosy(handler: Handler) -> None:
        asked = scripted.requests[-1].parameters
        if asked["param_since"] != asked["param_until"]:
            answer(lines(row()) + READ_LIMIT)(handler)
        else:
            answer(lines(row(asked["param_since"])))(handler)

    scripted.scripts["/"] = counting(choosy, "2026-03-15", "2026-03-16")

    rows = list(source_of(scripted).fetch(DAY, NEXT_DAY, ["flask"]))

    assert [found.day for found in rows] == [DAY, NEXT_DAY]
    assert len(scripted.requests) == 4


def test_a_package_of_many_downloads_is_asked_in_parts_from_the_start(
    scripted: ScriptedServer,
) -> None:
    many = clickhouse.READ_A_QUERY * 2 // 3
    counts = [[day, "flask", many, 2] for day in ("2026-03-15", "2026-03-16")]

    def whole(handler: Handler) -> None:
        asked = scripted.requests[-1]
        if b"pypi_downloads_per_day" in asked.body:
            answer(lines(*counts, columns=COUNT_COLUMNS))(handler)
        else:
            answer(lines(row(asked.parameters["param_since"], read=many)))(handler)

    scripted.scripts["/"] = whole

    assert len(list(source_of(scripted).fetch(DAY, NEXT_DAY, ["flask"]))) == 2
    assert len(scripted.requests) == 3


def test_what_the_sums_lack_yet_is_taken(scripted: ScriptedServer) -> None:
    """Its tables are filled one after the other."""
    scripted.scripts["/"] = counting(answer(lines(row(read=4))))

    assert len(list(source_of(scripted).fetch(DAY, DAY, ["flask"]))) == 1


def test_large_integers_may_come_as_texts(scripted: ScriptedServer) -> None:
    quoted = ["2026-03-15", "flask", "3", "2", {"3.12": "2"}, {}, {"pip": "3"}, {}, "3", "1"]
    scripted.scripts["/"] = counting(answer(lines(quoted)))

    (found,) = source_of(scripted).fetch(DAY, DAY, ["flask"])

    assert (found.with_mirrors, found.without_mirrors) == (3, 2)
    assert (found.python_minor, found.installer) == ({"3.12": 2}, {"pip": 3})


def test_a_request_names_user_password_and_database_and_no_setting(
    scripted: ScriptedServer,
) -> None:
    scripted.scripts["/"] = counting(answer(lines(row())))

    assert len(list(source_of(scripted).fetch(DAY, DAY, ["flask"]))) == 1

    _, request = scripted.requests
    assert request.headers["X-ClickHouse-User"] == "play"
    assert request.headers["X-ClickHouse-Key"] == "p w"
    assert request.parameters["param_database"] == "other"
    assert all(name.startswith("param_") for name in request.parameters)
    assert b"settings" not in request.body.lower()
