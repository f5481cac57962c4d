"""What the answers of `benchmarks.traffic` should have been.

The truth before the ingest is what PostgreSQL has of the days before it, added up here in plain
Python. The truth after it is the same and the generated day. An answer has to be of one of the two
as a whole: one that is of neither, be it a mixture, is wrong.
"""

import contextlib
import datetime as dt
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import brotli
import orjson
import psycopg2

from benchmarks.package_days import day_file
from benchmarks.traffic_client import Body
from pypistats import badges
from pypistats.catalog import ALL_PACKAGES, LABELS

DAYS_KEPT = 180
BATCH = 200
SERIES = ("overall", "python_major", "python_minor", "system", "installer")
BEFORE, AFTER = "before", "after"
RECENT_KINDS = {"recent", "badge", "picture"}
"""What is told by the last thirty days and the new one."""

NEITHER: frozenset[str] = frozenset()

_DECOMPRESS = {"": bytes, "gzip": gzip.decompress, "br": brotli.decompress}
_NUMBER = r"\s*(?:<data [^>]*>)?([\d,]+)(?:</data>)?\s*"
_ROW = re.compile(
    r'<th scope="?row"?>([^<]*)</th>\s*' + rf'<td class="?number"?>{_NUMBER}</td>\s*' * 4
)
_REACHED = re.compile(r'The data reaches to <time datetime="?([\d-]+)')
_CARD = re.compile(rf"<dt>(?:Last day|Last week|Last month|All time)</dt>\s*<dd>{_NUMBER}</dd>")
_COVERED = re.compile(r'"temporalCoverage":\s*"([\d-]+)/([\d-]+)"')
_PNG = re.compile(
    rb"\x89PNG\r\n\x1a\n.{4}IHDR\x00\x00\x04\xb0\x00\x00\x02\x58.*IEND.{4}", re.DOTALL
)


class Day(NamedTuple):
    """What is true of a package on one day; the last three are the maps."""

    day: str
    with_mirrors: int
    without_mirrors: int
    python_minor: Mapping[str, int]
    system: Mapping[str, int]
    installer: Mapping[str, int]

    def counts(self, kind: str) -> Mapping[str, int]:
        """Return the downloads by category of a kind of series."""
        if kind == "overall":
            return {"with_mirrors": self.with_mirrors, "without_mirrors": self.without_mirrors}
        if kind != "python_major":
            counts: Mapping[str, int] = getattr(self, kind)
            return counts
        majors: Counter[str] = Counter()
        for minor, downloads in self.python_minor.items():
            majors[minor.split(".")[0]] += downloads
        return majors


class History(NamedTuple):
    """All that is true of a package at one time: its days in order, and the last loaded one."""

    package: str
    total: int
    days: list[Day]
    last_day: dt.date

    def recent(self) -> list[int]:
        """Return the downloads of the last day, week and month."""
        return [
            sum(day.without_mirrors for day in self.days if day.day > self._ago(length))
            for length in (1, 7, 30)
        ]

    def points(self, kind: str) -> list[dict[str, Any]]:
        """Return the points of a series, by category and date."""
        found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for day in self.days:
            for category, downloads in day.counts(kind).items():
                if downloads:
                    point = {"category": category, "date": day.day, "downloads": downloads}
                    found[category].append(point)
        return [point for category in sorted(found) for point in found[category]]

    def rows(self, kind: str) -> Counter[tuple[str, ...]]:
        """Return the rows of a page's table."""
        sums = [Counter[str]() for _ in range(4)]
        since = [self._ago(length) for length in (1, 7, 30, DAYS_KEPT)]
        for day in self.days:
            counts = day.counts(kind)
            for start, counter in zip(since, sums, strict=True):
                if day.day > start:
                    counter.update(counts)
        return Counter(
            (LABELS.get(category, category), *(f"{counter[category]:,}" for counter in sums))
            for category, downloads in sums[3].items()
            if downloads
        )

    def _ago(self, days: int) -> str:
        return (self.last_day - dt.timedelta(days=days)).isoformat()


class Judge:
    """Knows the truth before and after the ingest of `new_day`.

    `totals` are the packages that were there before it, with their downloads of all time.
    """

    def __init__(self, url: str, folder: Path, new_day: dt.date, totals: Mapping[str, int]) -> None:
        self._url = url
        self._new_day = new_day
        self._file = day_file(folder, new_day)
        self._totals = totals

    def judge(self, bodies: Mapping[Any, Body]) -> dict[Any, frozenset[str]]:
        """Return at which times each of the bodies is true."""
        by_package: defaultdict[str, list[Any]] = defaultdict(list)
        verdicts = {}
        for key, body in bodies.items():
            if body.request.package is None:
                unknown = body.status == 404
                verdicts[key] = frozenset((BEFORE, AFTER)) if unknown else NEITHER
            else:
                by_package[body.request.package].append(key)
        new = self._generated(by_package)
        recent = {
            package
            for package, keys in by_package.items()
            if {bodies[key].request.kind for key in keys} <= RECENT_KINDS
        }
        stored = chain(
            self._stored(list(recent), days=30, maps="'{}', '{}', '{}'"),
            self._stored(
                list(by_package.keys() - recent),
                days=DAYS_KEPT,
                maps="python_minor::text, system::text, installer::text",
            ),
        )
        for package, days in stored:
            histories = self._histories(package, days, new.get(package))
            for key in by_package[package]:
                verdicts[key] = frozenset(
                    time for time, history in histories.items() if is_true(bodies[key], history)
                )
        return verdicts

    def _histories(
        self, package: str, days: list[Day], new: Day | None
    ) -> dict[str, History | None]:
        total = self._totals.get(package)
        last_day = self._new_day - dt.timedelta(days=1)
        after = [*days, new] if new else days
        # A day more than are kept was read: it is the first before the ingest, and none after it.
        kept = (self._new_day - dt.timedelta(days=DAYS_KEPT)).isoformat()
        after = [day for day in after if day.day > kept]
        added = new.without_mirrors if new else 0
        is_known_after = total is not None or new is not None
        return {
            BEFORE: None if total is None else History(package, total, days, last_day),
            AFTER: History(package, (total or 0) + added, after, self._new_day)
            if is_known_after
            else None,
        }

    def _generated(self, packages: Collection[str]) -> dict[str, Day]:
        """Return the generated day of these packages, and of the sum over all."""
        found = {}
        with_mirrors = without_mirrors = 0
        maps: list[Counter[str]] = [Counter(), Counter(), Counter()]
        with self._file.open("rb") as lines:
            for line in lines:
                row = orjson.loads(line)
                with_mirrors += row[1]
                without_mirrors += row[2]
                for counter, counts in zip(maps, row[3:6], strict=True):
                    counter.update(counts)
                if row[0] in packages:
                    found[row[0]] = Day(self._new_day.isoformat(), *row[1:6])
        found[ALL_PACKAGES] = Day(self._new_day.isoformat(), with_mirrors, without_mirrors, *maps)
        return found

    def _stored(
        self, packages: list[str], *, days: int, maps: str
    ) -> Iterator[tuple[str, list[Day]]]:
        """Yield so many days of each package before the new one, with these maps."""
        since = self._new_day - dt.timedelta(days=days)
        with contextlib.closing(psycopg2.connect(self._url)) as connection:
            cursor = connection.cursor()
            for start in range(0, len(packages), BATCH):
                found: dict[str, list[Day]] = {name: [] for name in packages[start : start + BATCH]}
                cursor.execute(
                    f"select name, day::text, with_mirrors, without_mirrors, {maps}"
                    " from packages join daily on package_id = id"
                    " where name = any(%s) and day >= %s and day < %s order by package_id, day",
                    (list(found), since, self._new_day),
                )
                for name, day, with_mirrors, without_mirrors, *texts in cursor:
                    counts = map(orjson.loads, texts)
                    found[name].append(Day(day, with_mirrors, without_mirrors, *counts))
                yield from found.items()


def is_true(body: Body, history: History | None) -> bool:
    """Tell whether an answer is what it should be when this is the truth."""
    if history is None or body.status != 200:
        return history is None and body.status == 404
    content = _DECOMPRESS[body.encoding](body.content)
    kind = body.request.kind
    if kind == "picture":
        # Which state it shows is told by its tag: there may be one before and one after.
        return _PNG.fullmatch(content) is not None
    if kind == "badge":
        return content == _badge(history).encode()
    if kind in ("page", "start"):
        return _is_page(content.decode(), history, whole=kind == "page")
    return bool(orjson.loads(content) == _document(kind, history))


def _document(kind: str, history: History) -> dict[str, Any]:
    if kind == "recent":
        names = ("last_day", "last_week", "last_month")
        data: Any = dict(zip(names, history.recent(), strict=True))
        return {"package": history.package, "type": "recent_downloads", "data": data}
    data = history.points(kind)
    return {"package": history.package, "type": f"{kind}_downloads", "data": data}


def _badge(history: History) -> str:
    downloads = history.recent()[2]
    return badges.svg(
        badges.Badge(
            label="downloads",
            message=badges.downloads_message(downloads, "month"),
            color=badges.downloads_color(downloads),
        )
    )


def _is_page(page: str, history: History, *, whole: bool) -> bool:
    """Tell whether the days and the numbers on a page are all of the same truth."""
    reached = _REACHED.findall(page)
    numbers = [*history.recent(), history.total] if whole else history.recent()
    if set(reached) != {history.last_day.isoformat()} or _CARD.findall(page) != [
        f"{number:,}" for number in numbers
    ]:
        return False
    if not whole:
        return True
    covered = [(history.days[0].day, history.days[-1].day)] if history.days else []
    wanted = sum((history.rows(kind) for kind in SERIES), Counter[tuple[str, ...]]())
    return _COVERED.findall(page) == covered and not wanted - Counter(_ROW.findall(page))
