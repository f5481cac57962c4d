"""The `flask` commands: thin, with progress on long work and an exit code that tells."""

import datetime as dt
import functools
import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Self

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from pypistats import ingest, provision, queries, rankings, retention, schedule, store
from pypistats.budget import DailyBudget, package_day_bytes
from pypistats.catalog import (
    DayState,
    InvalidNameError,
    LedgerDay,
    PackageDay,
    normalize_name,
)
from pypistats.clock import utc_now
from pypistats.extensions import database_faults
from pypistats.sources import DownloadSource, SourceError
from pypistats.sources.opening import SAMPLE_DAYS, open_source
from pypistats.sources.packages import PackagesSource

DOLLARS_A_TIB = 6.25
"""What BigQuery takes for reading, once the free amount of a month is used up."""

DayRange = tuple[dt.date, dt.date]


def register_commands(app: Flask) -> None:
    """Give the app its commands."""
    for command in (
        ingest_command,
        backfill_command,
        sample_command,
        export_command,
        status_command,
        purge_command,
    ):
        app.cli.add_command(command)


def yesterday() -> dt.date:
    """Return the last UTC day that is over."""
    return utc_now().date() - dt.timedelta(days=1)


class DaysType(click.ParamType[DayRange]):
    """A day, or two with `..` between them: both are included."""

    name = "days"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> DayRange:
        """Return the first and the last day."""
        if isinstance(value, tuple):
            return value
        first, dots, last = str(value).partition("..")
        try:
            since = dt.date.fromisoformat(first)
            until = dt.date.fromisoformat(last if dots else first)
        except ValueError:
            self.fail(f"{value!r} is no day, as 2026-03-01, nor days, as 2026-03-01..2026-03-31")
        if since > until:
            self.fail(f"{since} is after {until}")
        return since, until


class PackagesType(click.ParamType[tuple[str, ...]]):
    """Names of packages with commas between them, in any spelling."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names in normal form, each once."""
        if isinstance(value, tuple):
            return value
        try:
            names = [normalize_name(name.strip()) for name in str(value).split(",")]
        except InvalidNameError as error:
            self.fail(f"{str(error)!r} is no package name")
        return tuple(dict.fromkeys(names))


@click.command("ingest")
@click.argument("days", metavar="[DAY | SINCE..UNTIL]", type=DaysType(), required=False)
@click.option(
    "--source",
    type=click.Choice(["bigquery", "clickhouse", "files", "sample"]),
    default="bigquery",
    show_default=True,
    help="Where the downloads come from.",
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    help="A file or pattern for `--source files`: Parquet or JSON lines. May be repeated.",
)
@click.option("--packages", type=PackagesType(), help="Only these packages, as: requests,flask.")
@with_appcontext
@database_faults()
def ingest_command(
    days: DayRange | None, source: str, paths: tuple[str, ...], packages: tuple[str, ...] | None
) -> None:
    """Load one day or several, replacing what is stored for them.

    Days are UTC, as 2026-03-01 or 2026-03-01..2026-03-31. Without any, yesterday is loaded, or
    with `--source files` all the days in the files. A day is loaded whole or not at all, and once
    it is over. With --packages, only what is stored of these is replaced; ClickHouse gives nothing
    else.
    """
    if bool(paths) != (source == "files"):
        raise click.UsageError("--path and --source files go together")
    try:
        opened, found = _open_source(source, paths, days)
        _check_over(max(found))
        new = set(found) - {row.day for row in queries.loaded_days()}
        ingest_days(opened, found, packages=packages)
    except SourceError as error:
        raise click.ClickException(str(error)) from error
    if packages and new and current_app.config["INGEST_SCOPE"] != "tracked":
        click.echo(
            f"{min(new)} to {max(new)} had nothing: they count as loaded now, and have these"
            " packages alone. `flask ingest` without --packages loads all; for a site of some"
            " packages, set INGEST_SCOPE=tracked"
        )


@click.command("backfill")
@click.argument("days", metavar="SINCE..UNTIL", type=DaysType())
@click.option("--yes", is_flag=True, help="Load without asking.")
@with_appcontext
@database_faults()
def backfill_command(days: DayRange, *, yes: bool) -> None:
    """Load the days that are missing, the newest first, from the schedule's source.

    Tells first how many days, bytes and dollars that will be. It can be ended at any time: run
    again, it goes on where it was. Where only some packages are tracked, it loads these.
    """
    _check_kept(days[0])
    _check_over(days[1])
    loaded = {row.day for row in queries.loaded_days()}
    missing = [day for day in _each_day(*days) if day not in loaded]
    packages = _scheduled_packages()
    try:
        source = _schedules_source(days[1], packages)
        there = _tell_cost(source, missing, packages)
        if there and (yes or click.confirm("Load them?")):
            ingest_days(source, there, packages=packages, replace=False)
    except SourceError as error:
        raise click.ClickException(f"{error}. Run again, it goes on from here") from error


@click.command("sample")
@with_appcontext
@database_faults()
def sample_command() -> None:
    """Load made-up downloads of some hundred packages: the 180 days up to yesterday but three.

    Those are gaps, as real data has them. For trying the site, whose pages and API say that the
    data is a sample.
    """
    from pypistats.sources.sample import SampleSource  # noqa: PLC0415

    source = SampleSource(yesterday(), SAMPLE_DAYS)
    ingest_days(source, source.days())


@click.command("export")
@click.argument("days", metavar="[DAY | SINCE..UNTIL]", type=DaysType(), required=False)
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write: .jsonl, .jsonl.gz or .parquet.",
)
@with_appcontext
@database_faults()
def export_command(days: DayRange | None, output: Path) -> None:
    """Write the stored days to a file that `flask ingest --source files` reads.

    Days are UTC, as 2026-03-01 or 2026-03-01..2026-03-31. Without any, all loaded days are
    written. The sum over all packages is left out, since loading makes it anew.
    """
    from pypistats.sources import files  # noqa: PLC0415

    loaded = [row.day for row in queries.loaded_days()]
    if not loaded:
        raise click.ClickException("nothing is loaded yet")
    since, until = days or (min(loaded), max(loaded))
    if not any(since <= day <= until for day in loaded):
        raise click.ClickException(f"nothing is loaded of {since} to {until}")
    rows = _told(queries.stored_days(since, until), Progress((until - since).days + 1))
    try:
        count = files.write_package_days(rows, output)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{output} can't be written: {error}") from error
    click.echo(f"{output}: {count:,} rows of {since} to {until}")


@click.command("status")
@with_appcontext
@database_faults()
def status_command() -> None:
    """Show the window day by day, with what was loaded and what it cost; then the sizes on disk."""
    rows = schedule.window(queries.ledger(), utc_now(), days=current_app.config["RETENTION_DAYS"])
    click.echo(
        _STATUS_LINE.format("day", "state", "rows", "downloads", "source", "loaded", "bytes")
    )
    for row in reversed(rows):
        click.echo(_status_line(row))
    counts = Counter(row.state for row in rows)
    click.echo(", ".join(f"{counts[state]} {state}" for state in DayState))
    for name, size in queries.table_bytes().items():
        click.echo(f"{name:<13} {size / 2**20:,.1f} MiB")


_STATUS_LINE = "{:<10}  {:<7}  {:>9}  {:>15}  {:<10}  {:<16}  {:>17}"


def _status_line(row: LedgerDay) -> str:
    loaded = "" if row.loaded_at is None else f"{row.loaded_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
    line = _STATUS_LINE.format(
        row.day.isoformat(),
        row.state,
        _figure(row.packages),
        _figure(row.downloads),
        row.source or "",
        loaded,
        _figure(row.bytes_billed),
    )
    return f"{line}  {row.note or ''}".rstrip()


def _figure(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


@click.command("purge")
@click.argument("before", metavar="DAY", type=DaysType())
@with_appcontext
@database_faults()
def purge_command(before: DayRange) -> None:
    """Drop the months that ended before DAY, with all their downloads."""
    if before[0] != before[1]:
        raise click.UsageError("DAY is one day: all months that ended before it are dropped")
    dropped = retention.purge_before(before[0])
    click.echo(f"dropped {', '.join(dropped) or 'nothing'}")


class Progress:
    """Tells how far a load is: one line that is rewritten on a terminal, some lines in a log."""

    def __init__(self, days: int) -> None:
        self._days = days
        self._done = 0
        self._terminal = sys.stdout.isatty()
        self._every = 1 if self._terminal else max(1, days // 10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._terminal and self._done:
            click.echo()

    def rows(self, day: dt.date, rows: int) -> None:
        """Tell how many rows of a day have been read, on a terminal."""
        if self._terminal:
            click.echo(f"\r{day}  {rows:,} rows\033[K", nl=False)

    def day(self, day: dt.date, packages: int) -> None:
        """Tell that a day is loaded."""
        self._done += 1
        if self._done % self._every == 0 or self._done == self._days:
            line = f"{day}  {packages:,} packages  {self._done} of {self._days} days"
            click.echo(f"\r{line}\033[K" if self._terminal else line, nl=not self._terminal)


def _open_source(
    name: str, paths: tuple[str, ...], days: DayRange | None
) -> tuple[DownloadSource, list[dt.date]]:
    """Open a source and tell the days to load from it. Imports only the one that is asked for."""
    if name == "files":
        from pypistats.sources.files import FilesSource  # noqa: PLC0415

        files = FilesSource(paths)
        return files, _each_day(*days) if days else files.days()
    since, until = days or (yesterday(), yesterday())
    if name == "sample":
        from pypistats.sources.sample import SampleSource  # noqa: PLC0415

        sample = SampleSource(until, (until - since).days + 1)
        return sample, sample.days()
    budget = DailyBudget(current_app.config["BIGQUERY_DAILY_BUDGET"])
    source = open_source(name, current_app.config, until=until, budget=budget)
    return source, _each_day(since, until)


def _check_kept(since: dt.date) -> None:
    """Refuse days that the schedule would soon drop again."""
    last = queries.data_status().last_day or yesterday()
    first = last - dt.timedelta(days=current_app.config["RETENTION_DAYS"] - 1)
    if since < first:
        raise click.UsageError(
            f"RETENTION_DAYS keeps days from {first} on; a larger one keeps more"
        )


def _check_over(until: dt.date) -> None:
    """Refuse a day that goes on, or is to come: all that is kept and shown ends with the newest."""
    if until > yesterday():
        raise click.UsageError(f"{until} is not over yet (UTC): say days up to {yesterday()}")


def _scheduled_packages() -> tuple[str, ...] | None:
    """Return the packages that the schedule loads days of; None means all."""
    if current_app.config["INGEST_SCOPE"] != "tracked":
        return None
    names = provision.tracked_names()
    if not names:
        raise click.UsageError(
            "no package is tracked yet: the first that is asked for brings its days"
        )
    return tuple(names)


def _schedules_source(until: dt.date, packages: tuple[str, ...] | None) -> DownloadSource:
    name = current_app.config["SOURCE"]
    if name == "none":
        raise click.UsageError("SOURCE is none: say where the days come from")
    source = open_source(name, current_app.config, until=max(until, yesterday()))
    if packages is None:
        return source
    return PackagesSource(source, package_day_bytes=package_day_bytes() if _is_billed() else None)


def _is_billed() -> bool:
    return bool(current_app.config["SOURCE"] == "bigquery")


def _tell_cost(
    source: DownloadSource, days: list[dt.date], packages: tuple[str, ...] | None
) -> list[dt.date]:
    """Say what loading the days will cost; return those that the source has."""
    sizes = {day: source.estimate(day, day) for day in days}
    there = [day for day, size in sizes.items() if size != 0]
    click.echo(f"{len(days)} days are missing, and {source.name} has {len(there)} of them")
    known = [size or 0 for size in sizes.values()]
    if packages is not None:
        each = package_day_bytes() * len(packages)
        known = [min(size, each) for size in known]
    if (needed := sum(known)) and _is_billed():
        dollars = needed / 2**40 * DOLLARS_A_TIB
        click.echo(f"{needed:,} bytes to read, which is ${dollars:,.2f} at ${DOLLARS_A_TIB} a TiB")
    return there


def _each_day(since: dt.date, until: dt.date) -> list[dt.date]:
    return [since + dt.timedelta(days=n) for n in range((until - since).days + 1)]


def _told(rows: Iterable[PackageDay], progress: Progress) -> Iterator[PackageDay]:
    """Pass rows on, and tell of each day that is through."""
    with progress:
        for day, group in itertools.groupby(rows, key=attrgetter("day")):
            count = 0
            for count, row in enumerate(group, start=1):  # noqa: B007
                yield row
            progress.day(day, count)


def ingest_days(
    source: DownloadSource,
    days: list[dt.date],
    *,
    packages: tuple[str, ...] | None = None,
    replace: bool = True,
) -> None:
    """Load the days, the newest first, so that what people look at most is there first.

    Unless it shall `replace` them, days that are loaded are left. One that the source lacks is
    passed over and reported at the end; any other fault ends the run. Both raise SourceError.
    """
    empty = []
    with Progress(len(days)) as progress:
        for day in sorted(days, reverse=True):
            told = functools.partial(progress.rows, day)
            try:
                with store.day_lock(day, wait=True):
                    if not replace and queries.is_loaded(day):
                        continue
                    count = ingest.ingest_day(day, source, packages=packages, report=told)
            except ingest.EmptyDayError as error:
                empty.append(error)
                continue
            progress.day(day, count)
    rankings.refresh()
    if empty:
        raise SourceError("; ".join(map(str, empty)))
