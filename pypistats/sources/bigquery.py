"""SOURCE: downloads from `bigquery-public-data.pypi.file_downloads`, PyPI's public table.

BigQuery reduces a day's billions of rows to one row per package (`downloads.sql`), and those
stream in. It bills by bytes read, so no query runs whose free dry run reads more than allowed.
"""

import datetime as dt
import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import requests
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from pypistats.catalog import CATEGORIES_KEPT, MIRRORS, SYSTEMS, VERSIONS_KEPT, PackageDay
from pypistats.sources import Budget, FetchCost, PlannedQuery, SourceError, Unlimited
from pypistats.sources.bigquery_clients import make_clients

if TYPE_CHECKING:
    from google.cloud.bigquery.table import RowIterator
    from google.cloud.bigquery_storage import BigQueryReadClient

logger = logging.getLogger(__name__)

LOCATION = "US"
"""Where the public table is; a job must run there too."""

COLUMNS = (
    "day",
    "package",
    "with_mirrors",
    "without_mirrors",
    "python_minor",
    "system",
    "installer",
    "version",
)
"""The columns of `downloads.sql`, in its order, which is that of `PackageDay`."""

_PACKAGE_FILTER = "-- package filter"
_ONE_DAY = dt.timedelta(days=1)

_UNANSWERED = (requests.RequestException, FutureTimeoutError, OSError)
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What the client raises at an answer that is not the document it expects."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the source waits, in seconds, and how many rows a REST page has.

    `retry` bounds a call with all its repeats. The client library itself waits two minutes for
    a page, whatever `request` says.
    """

    request: float = 60
    retry: float = 120
    job: float = 900
    poll: float = 1
    page_rows: int = 10_000


class _Range(NamedTuple):
    """What one query asks for: days, both inclusive, and packages; None means every package."""

    since: dt.date
    until: dt.date
    packages: tuple[str, ...] | None

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the job, by which the project's billing can be split."""
        return {
            "app": "pypistats",
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "scope": "all" if self.packages is None else "packages",
        }

    def __str__(self) -> str:
        days = f"{self.since}" if self.days == 1 else f"{self.since} to {self.until}"
        return days if self.packages is None else f"{len(self.packages)} package(s), {days}"


class BigQuerySource:
    """Reads `PackageDay` rows from BigQuery.

    With `storage_client`, results of more than one REST page come by the BigQuery Storage API,
    which takes a fifth of the processor time; where that is refused, REST gives the same rows.
    """

    name = "bigquery"

    def __init__(
        self,
        client: bigquery.Client,
        *,
        max_bytes_per_day: int,
        storage_client: "BigQueryReadClient | None" = None,
        budget: Budget | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._budget = budget or Unlimited()
        self._client = client
        self._storage = storage_client
        self._max_bytes_per_day = max_bytes_per_day
        self._patience = patience or Patience()
        self._cost = FetchCost()
        self._retry = bigquery.DEFAULT_RETRY.with_timeout(self._patience.retry)

    @property
    def cost(self) -> FetchCost:
        """The summed cost of the newest fetch's queries, with the newest job's id."""
        return self._cost

    def estimate(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> int:
        """Return how many bytes a fetch would read, by dry runs, which are free.

        Exact for whole days of all packages; an upper bound, and a high one, for some packages.
        """
        bytes_read = 0
        for asked in _split(since, until, packages):
            with _facts(asked):
                bytes_read += self._dry_run(asked)
        return bytes_read

    def fetch(
        self, since: dt.date, until: dt.date, packages: Sequence[str] | None = None
    ) -> Iterator[PackageDay]:
        """Yield the rows of `since` to `until`, both inclusive.

        Every package: a query per day, in order, because a dry run is exact for a whole day
        only. Some packages: one query, because clustering makes the range cheap.
        """
        self._cost = FetchCost()
        return self._fetch(_split(since, until, packages))

    def _fetch(self, ranges: Iterable[_Range]) -> Iterator[PackageDay]:
        for asked in ranges:
            with _facts(asked):
                yield from self._run(asked)

    def _run(self, asked: _Range) -> Iterator[PackageDay]:
        """Run one query, after its dry run, and yield its rows."""
        dry_run_bytes = self._dry_run(asked)
        self._add_cost(dry_run_bytes=dry_run_bytes)
        if dry_run_bytes > self._allowed(asked):
            raise _over_limit(asked, allowed=self._allowed(asked), needed=dry_run_bytes)
        job = self._spend(asked, dry_run_bytes)
        rows = self._result(job, asked)
        logger.info(
            "BigQuery job %s for %s: %d rows, %d bytes by dry run, %d bytes billed",
            job.job_id,
            asked,
            rows.total_rows,
            dry_run_bytes,
            job.total_bytes_billed or 0,
        )
        count = 0
        for record in self._records(job, rows):
            count += 1
            yield _package_day(*record)
        if count != rows.total_rows:
            raise SourceError(f"BigQuery gave {count} of the {rows.total_rows} rows of {asked}")

    def _spend(self, asked: _Range, dry_run_bytes: int) -> bigquery.QueryJob:
        """Run the query within the budget; return its job when it is done, however it ended.

        A query that BigQuery refuses to start is not billed. Of one whose end can't be seen that
        is not known, so what was set aside for it stays so.
        """
        packages = None if asked.packages is None else len(asked.packages)
        reserved = self._budget.reserve(PlannedQuery(asked.days, packages, dry_run_bytes))
        try:
            job = self._start(asked)
        except GoogleAPICallError:
            self._budget.settle(reserved, 0, None)
            raise
        self._wait(job, asked)
        billed = job.total_bytes_billed or 0
        self._budget.settle(reserved, billed, job.job_id)
        self._add_cost(bytes_billed=billed, job_id=job.job_id)
        return job

    def _dry_run(self, asked: _Range) -> int:
        """Return how many bytes the query would read."""
        config = _job_config(asked)
        config.dry_run = True
        config.use_query_cache = False
        needed = self._query(asked, config).total_bytes_processed
        if needed is None:
            raise SourceError(f"BigQuery's dry run for {asked} told no bytes")
        return int(needed)

    def _start(self, asked: _Range) -> bigquery.QueryJob:
        config = _job_config(asked)
        config.maximum_bytes_billed = self._allowed(asked)
        config.job_timeout_ms = int(self._patience.job * 1000)
        return self._query(asked, config)

    def _query(self, asked: _Range, config: bigquery.QueryJobConfig) -> bigquery.QueryJob:
        """Start a job. A failed one is not started again, since every run may be billed."""
        return self._client.query(
            _sql(asked.packages),
            job_config=config,
            job_id_prefix=f"pypistats-{asked.since:%Y%m%d}-",
            location=LOCATION,
            retry=self._retry,
            timeout=self._patience.request,
            job_retry=None,
        )

    def _wait(self, job: bigquery.QueryJob, asked: _Range) -> None:
        """Return when the job is done, however it ended."""
        end = time.monotonic() + self._patience.job
        while not job.done(retry=self._retry, timeout=self._patience.request):
            if time.monotonic() > end:
                raise SourceError(f"BigQuery job {job.job_id} for {asked} does not finish")
            time.sleep(self._patience.poll)

    def _result(self, job: bigquery.QueryJob, asked: _Range) -> "RowIterator":
        """Return the rows of a job that is done; their first page comes with them."""
        try:
            rows = job.result(
                page_size=self._patience.page_rows,
                retry=self._retry,
                timeout=self._patience.request,
            )
        except GoogleAPICallError as error:
            if "bytesBilledLimitExceeded" in _reasons(error):
                raise _over_limit(asked, allowed=self._allowed(asked)) from error
            raise
        columns = tuple(field.name for field in rows.schema)
        if columns != COLUMNS:  # also where the client takes no document for no rows
            raise SourceError(f"BigQuery's answer for {asked} has the columns {columns}")
        return rows

    def _allowed(self, asked: _Range) -> int:
        return self._max_bytes_per_day * asked.days

    def _add_cost(
        self, *, dry_run_bytes: int = 0, bytes_billed: int = 0, job_id: str | None = None
    ) -> None:
        self._cost = FetchCost(
            (self._cost.dry_run_bytes or 0) + dry_run_bytes,
            (self._cost.bytes_billed or 0) + bytes_billed,
            job_id or self._cost.job_id,
        )

    # --- transports

    def _records(self, job: bigquery.QueryJob, rows: "RowIterator") -> Iterator[tuple[Any, ...]]:
        """Yield the result's rows, by the Storage API if there is more than the first page."""
        if self._storage is None or rows.total_rows <= self._patience.page_rows:
            return map(tuple, rows)
        pages = self._storage_pages(self._storage, job)
        try:
            first = next(pages, ())
        except (GoogleAPIError, GoogleAuthError) as refusal:
            logger.warning(
                "BigQuery Storage API gave nothing of job %s, reading it by REST: %s",
                job.job_id,
                _one_line(refusal),
            )
            return map(tuple, rows)
        return itertools.chain(first, itertools.chain.from_iterable(pages))

    def _storage_pages(
        self, storage: "BigQueryReadClient", job: bigquery.QueryJob
    ) -> Iterator[Iterable[tuple[Any, ...]]]:
        """Yield pages of rows. One stream is asked for, as one reader takes no more."""
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from google.cloud.bigquery_storage_v1 import types  # noqa: PLC0415 - an extra

        retry = Retry(timeout=self._patience.retry)
        session = storage.create_read_session(
            parent=f"projects/{self._client.project}",
            read_session=types.ReadSession(
                table=job.destination.to_bqstorage(), data_format=types.DataFormat.ARROW
            ),
            max_stream_count=1,
            retry=retry,
            timeout=self._patience.request,
        )
        schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
        for stream in session.streams:
            messages = storage.read_rows(  # type: ignore[no-untyped-call]
                stream.name, retry=retry, timeout=self._patience.job
            )
            for message in messages:
                content = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
                batch = pa.ipc.read_record_batch(content, schema)
                yield zip(*(batch.column(name).to_pylist() for name in COLUMNS), strict=True)


# --- queries ----------------------------------------------------------------------------------


def _split(since: dt.date, until: dt.date, packages: Sequence[str] | None) -> Iterator[_Range]:
    """Yield what each query of a fetch asks for."""
    if packages is not None:
        if packages and since <= until:
            yield _Range(since, until, tuple(packages))
        return
    day = since
    while day <= until:
        yield _Range(day, day, None)
        day += _ONE_DAY


@cache
def _sql_text() -> str:
    return resources.files(__package__).joinpath("downloads.sql").read_text("utf-8")


def _sql(packages: Sequence[str] | None) -> str:
    """Return the query text; an equality for one package is what surely prunes clusters."""
    if packages is None:
        return _sql_text()
    condition = "= @package" if len(packages) == 1 else "IN UNNEST(@packages)"
    return _sql_text().replace(_PACKAGE_FILTER, f"AND project {condition}")


def _job_config(asked: _Range) -> bigquery.QueryJobConfig:
    scalar, array = bigquery.ScalarQueryParameter, bigquery.ArrayQueryParameter
    parameters: list[bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter] = [
        scalar("since", "TIMESTAMP", _midnight(asked.since)),
        scalar("before", "TIMESTAMP", _midnight(asked.until + _ONE_DAY)),
        array("mirrors", "STRING", list(MIRRORS)),
        array("systems", "STRING", list(SYSTEMS)),
        scalar("versions_kept", "INT64", VERSIONS_KEPT),
        scalar("categories_kept", "INT64", CATEGORIES_KEPT),
    ]
    if asked.packages is not None and len(asked.packages) == 1:
        parameters.append(scalar("package", "STRING", asked.packages[0]))
    elif asked.packages is not None:
        parameters.append(array("packages", "STRING", list(asked.packages)))
    return bigquery.QueryJobConfig(query_parameters=parameters, labels=asked.labels)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _package_day(
    day: dt.date, package: str, with_mirrors: int, without_mirrors: int, *maps: str
) -> PackageDay:
    return PackageDay(day, package, with_mirrors, without_mirrors, *map(orjson.loads, maps))


# --- errors -----------------------------------------------------------------------------------


@contextmanager
def _facts(asked: _Range) -> Iterator[None]:
    """Turn what the client library raises into a SourceError that says what happened."""
    try:
        yield
    except GoogleAuthError as error:
        raise SourceError(f"BigQuery takes no credentials: {_one_line(error)}") from error
    except GoogleAPIError as error:
        raise SourceError(f"BigQuery failed for {asked}: {_one_line(error)}") from error
    except _UNANSWERED as error:
        raise SourceError(f"BigQuery gave no answer for {asked}: {_one_line(error)}") from error
    except _UNREADABLE as error:
        raise SourceError(f"BigQuery's answer for {asked} is no answer: {error!r}") from error


def _over_limit(asked: _Range, *, allowed: int, needed: int | None = None) -> SourceError:
    """Return the error of a query that was refused; `needed` None if only BigQuery knows it."""
    reads = "more" if needed is None else f"{needed / 2**30:.1f} GiB"
    return SourceError(
        f"the query for {asked} would read {reads}; {allowed / 2**30:.1f} GiB are allowed"
    )


def _reasons(error: GoogleAPICallError) -> set[str]:
    return {str(item.get("reason")) for item in error.errors if isinstance(item, dict)}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def open_source(
    *,
    project: str | None,
    credentials: str | None,
    max_bytes_per_day: int,
    budget: Budget | None = None,
) -> BigQuerySource:
    """Return a source; `make_clients` tells what `project` and `credentials` are.

    Raises ValueError for credentials that can't be, SourceError where there are none.
    """
    client, storage_client = make_clients(project=project, credentials=credentials)
    return BigQuerySource(
        client,
        max_bytes_per_day=max_bytes_per_day,
        storage_client=storage_client,
        budget=budget,
    )
