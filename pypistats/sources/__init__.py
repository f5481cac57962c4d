"""SOURCE: where downloads come from. Knows the outside and nothing of the database."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pypistats.catalog import PackageDay


class SourceError(Exception):
    """The source can't give what was asked of it; the message says which fact stands in the way."""


class BudgetError(SourceError):
    """What is left of the budget does not allow a query, and won't before `until`."""

    def __init__(self, message: str, until: dt.datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class PlannedQuery(NamedTuple):
    """A query that will be billed: of so many days and packages, None being all of them.

    Its dry run is exact for all packages, and an upper bound, and a high one, for some.
    """

    days: int
    packages: int | None
    dry_run_bytes: int


class Budget(Protocol):
    """Lets queries be run, or not. Sources that bill ask it before each."""

    def reserve(self, query: PlannedQuery) -> int:
        """Set aside what the query will cost; return a number to settle it by.

        Raises BudgetError if there is not so much left.
        """

    def settle(self, reserved: int, bytes_billed: int, job_id: str | None) -> None:
        """Put what was billed in the place of what was set aside."""


class Unlimited:
    """The budget of one who has agreed to what a query costs."""

    def reserve(self, query: PlannedQuery) -> int:
        """Allow everything."""
        return 0

    def settle(self, reserved: int, bytes_billed: int, job_id: str | None) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class FetchCost:
    """What a fetch has cost at a source that bills; all None at one that does not."""

    dry_run_bytes: int | None = None
    bytes_billed: int | None = None
    job_id: str | None = None

    def __add__(self, other: "FetchCost") -> "FetchCost":
        """Return what both have cost, with the id of the other's job."""
        return FetchCost(
            _sum(self.dry_run_bytes, other.dry_run_bytes),
            _sum(self.bytes_billed, other.bytes_billed),
            other.job_id or self.job_id,
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one + (other or 0)


class DownloadSource(Protocol):
    """Gives the downloads of a range of days, one row per package and day."""

    @property
    def name(self) -> str:
        """The word the ledger keeps for this source."""

    @property
    def cost(self) -> FetchCost:
        """The cost of the newest fetch; whole once its rows have been read."""

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int | None:
        """Return how many bytes a fetch would read; asking is free.

        It is exact for whole days of all packages, and so tells whether rows were added. 0 means
        that there is nothing to read, None that this source can't tell. Raises SourceError.
        """

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        """Yield the rows of `since` to `until`, both inclusive, in any order.

        `packages` are normal names; None means every package. Rows stream: no more than a page
        of them is in memory at once. A day that the source lacks yields nothing. Raises
        SourceError, at any row.
        """
