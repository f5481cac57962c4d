"""SOURCE: another source, asked for some packages in the way that costs the least."""

import datetime as dt
from collections.abc import Iterator, Sequence

from pypistats.catalog import PackageDay
from pypistats.sources import DownloadSource, FetchCost


class PackagesSource:
    """Gives what `source` has of some packages.

    Where queries are billed, one for each package is cheaper than one for a list, as long as there
    are few; above that, one for a whole day of all packages is. `package_day_bytes` is what a
    package's day is billed, None where nothing is. All rows are there before the first is given,
    so that whoever stores them waits for no query.
    """

    def __init__(self, source: DownloadSource, *, package_day_bytes: int | None) -> None:
        self.name = source.name
        self.cost = FetchCost()
        self._source = source
        self._package_day_bytes = package_day_bytes

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int | None:
        """Return what a fetch of all packages would read: that tells whether rows were added."""
        return self._source.estimate(since, until)

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        """Return the rows of `since` to `until`, both inclusive."""
        self.cost = FetchCost()
        if packages is None or self._package_day_bytes is None:
            return iter(self._fetch(since, until, packages))
        whole = self._source.estimate(since, until) or 0
        days = (until - since).days + 1
        if whole < self._package_day_bytes * days * len(packages):
            chosen = frozenset(packages)
            rows = [row for row in self._fetch(since, until, None) if row.package in chosen]
        else:
            rows = [row for name in packages for row in self._fetch(since, until, [name])]
        # A later look compares with a dry run of all packages.
        self.cost = FetchCost(whole, self.cost.bytes_billed, self.cost.job_id)
        return iter(rows)

    def _fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None
    ) -> list[PackageDay]:
        """Return the rows of one fetch, and add its cost."""
        try:
            return list(self._source.fetch(since, until, packages))
        finally:
            self.cost = self.cost + self._source.cost
