"""STORE: what is written into the ledger of days. The caller commits."""

import datetime as dt
from typing import Any

from sqlalchemy import text

from pypistats.catalog import ALL_PACKAGES, DayState, LedgerDay
from pypistats.extensions import db


def record_load(row: LedgerDay) -> None:
    """Write the row of a day that has just been loaded. Bytes billed add up over its fetches."""
    _execute(
        """
        insert into ingested_days as old
            (day, state, source, packages, downloads, dry_run_bytes, bytes_billed, job_id,
            loaded_at, changed_at, tried_at, attempts, note)
        values (:day, :state, :source, :packages, :downloads, :dry_run_bytes, :bytes_billed,
            :job_id, :loaded_at, :changed_at, :tried_at, :attempts, :note)
        on conflict (day) do update set
            state = excluded.state, source = excluded.source, packages = excluded.packages,
            downloads = excluded.downloads, dry_run_bytes = excluded.dry_run_bytes,
            bytes_billed = case when old.bytes_billed is null then excluded.bytes_billed
                else old.bytes_billed + coalesce(excluded.bytes_billed, 0) end,
            job_id = excluded.job_id, loaded_at = excluded.loaded_at,
            changed_at = excluded.changed_at, tried_at = excluded.tried_at,
            attempts = excluded.attempts, note = excluded.note
        """,
        **row._asdict(),
    )


def record_start(day: dt.date, now: dt.datetime) -> None:
    """Count a try before it begins, so that one which kills its worker is counted as well.

    A missing day without a note is one whose try has said nothing yet.
    """
    _execute(
        """
        insert into ingested_days as old (day, state, attempts, tried_at)
        values (:day, 'missing', 1, :now)
        on conflict (day) do update set attempts = old.attempts + 1, tried_at = :now,
            note = case when old.state <> 'missing' then old.note end
        """,
        day=day,
        now=now,
    )


def record_look(
    day: dt.date,
    state: DayState,
    *,
    note: str | None,
    seen: int | None,
    now: dt.datetime,
    failed: bool = False,
) -> None:
    """Write what a look at a day that was not fetched has told; `seen` are bytes.

    One that `failed` stays counted among the tries.
    """
    _execute(
        """
        update ingested_days set state = :state, note = :note, tried_at = :now,
            attempts = case when :failed then attempts else 0 end,
            dry_run_bytes = case when state = 'missing' then :seen else dry_run_bytes end
        where day = :day
        """,
        day=day,
        state=state,
        note=note,
        seen=seen,
        failed=failed,
        now=now,
    )


def record_failure(
    day: dt.date, note: str, now: dt.datetime, *, bytes_billed: int | None = None
) -> None:
    """Write why a try has failed, and what it was billed all the same."""
    _execute(
        """
        update ingested_days set note = :note, tried_at = :now,
            bytes_billed = case when cast(:billed as bigint) is null then bytes_billed
                else coalesce(bytes_billed, 0) + :billed end
        where day = :day
        """,
        day=day,
        note=note,
        now=now,
        billed=bytes_billed,
    )


def mark_lost_days() -> list[dt.date]:
    """Take loaded days whose rows are gone from the store for missing ones; return them.

    The row of the sum over all packages tells, as it is there for each loaded day.
    """
    rows = _execute(
        """
        update ingested_days i set state = 'missing', attempts = 0, tried_at = null,
            note = 'its rows are gone from the store'
        where state <> 'missing' and not exists (
            select from daily d
            where d.day = i.day and d.package_id = (select id from packages where name = :all)
        )
        returning day
        """,
        all=ALL_PACKAGES,
    )
    return sorted(rows.scalars())


def _execute(statement: str, **values: Any) -> Any:
    return db.session.execute(text(statement), values)
