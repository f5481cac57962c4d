"""A source with the real ones' methods, whose rows a test writes down."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from pypistats.catalog import PackageDay
from pypistats.sources import FetchCost, SourceError

DAY = dt.date(2026, 3, 15)


def package_day(
    package: str = "requests",
    day: dt.date = DAY,
    *,
    mirrored: int = 0,
    python_minor: Mapping[str, int] | None = None,
    system: Mapping[str, int] | None = None,
    version: Mapping[str, int] | None = None,
    installer: Mapping[str, int] | None = None,
    downloads: int = 10,
) -> PackageDay:
    """Build a row of `downloads` without mirrors and `mirrored` ones, its maps made to agree."""
    maps = [python_minor, system, version]
    downloads = next((sum(counts.values()) for counts in maps if counts is not None), downloads)
    return PackageDay(
        day=day,
        package=package,
        with_mirrors=downloads + mirrored,
        without_mirrors=downloads,
        python_minor=python_minor or _whole("3.12", downloads),
        system=system or _whole("Linux", downloads),
        installer=installer or _whole("pip", downloads) | _whole("bandersnatch", mirrored),
        version=version or _whole("1.0", downloads),
    )


def _whole(category: str, downloads: int) -> dict[str, int]:
    return {category: downloads} if downloads else {}


def made_up_day(day: dt.date, rows: int) -> list[PackageDay]:
    """Return a day whose load takes long enough to be broken off in its midst."""
    return [package_day(f"package-{n:05}", day, downloads=n % 7 + 1) for n in range(rows)]


class FixedSource:
    """Gives the rows it was made with; breaks after `fail_after` of them when that is set."""

    name = "fixed"

    def __init__(self, *rows: PackageDay, fail_after: int | None = None) -> None:
        self.rows = rows
        self.fail_after = fail_after
        self.bytes_there: int | None = None
        self.cost = FetchCost(dry_run_bytes=2_000, bytes_billed=1_000, job_id="job-1")

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int | None:
        return self.bytes_there

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        for count, row in enumerate(self.rows):
            if count == self.fail_after:
                raise SourceError("the source broke off")
            if since <= row.day <= until and (packages is None or row.package in packages):
                yield row
        if self.fail_after == len(self.rows):
            raise SourceError("the source broke off")
