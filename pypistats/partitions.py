"""STORE: the months of the daily rows. Each is a table, which is made and dropped whole."""

import datetime as dt
import re
from collections.abc import Mapping

from sqlalchemy import Connection, text

from pypistats.extensions import db

_PARTITION = re.compile(r"daily_(\d{4})_(\d{2})")


def ensure_partition(day: dt.date) -> None:
    """Make the month's partition, if it isn't there."""
    first = day.replace(day=1)
    name = f"daily_{first:%Y_%m}"
    if db.session.execute(text("select to_regclass(:name)"), {"name": name}).scalar() is None:
        db.session.execute(text(f"create table {name} (like daily including all)"))
        attach(name, first)


def attach(name: str, first: dt.date) -> None:
    """Make a table the partition of a month. It lets readers go on, `partition of` would not."""
    db.session.execute(
        text(
            f"alter table daily attach partition {name}"
            f" for values from ('{first}') to ('{next_month(first)}')"
        )
    )


def next_month(first: dt.date) -> dt.date:
    """Return the first day of the month after that of `first`."""
    return (first + dt.timedelta(days=32)).replace(day=1)


def partitions(connection: Connection) -> Mapping[str, dt.date]:
    """Return the first day of each month's table by its name, attached or not, oldest first."""
    names = connection.execute(
        text(
            "select relname from pg_class where relkind = 'r' and relname ~ '^daily_[0-9_]+$'"
            " and relnamespace = current_schema()::regnamespace order by relname"
        )
    ).scalars()
    found = filter(None, map(_PARTITION.fullmatch, names))
    return {match[0]: dt.date(int(match[1]), int(match[2]), 1) for match in found}


def cut_off(connection: Connection) -> list[str]:
    """Return the months' tables that a purge had begun to drop; no row can go into them."""
    half_dropped = text(
        "select relname from pg_class left join pg_inherits on inhrelid = pg_class.oid"
        " where relname = any(:names) and relnamespace = current_schema()::regnamespace"
        " and coalesce(inhdetachpending, true) order by relname"
    )
    return list(connection.execute(half_dropped, {"names": [*partitions(connection)]}).scalars())


def drop(connection: Connection, name: str) -> None:
    """Drop a month's table, detached first so that readers go on; one cut off is finished.

    Outside a transaction: PostgreSQL waits for those that have read the table.
    """
    pending = connection.execute(
        text("select inhdetachpending from pg_inherits where inhrelid = to_regclass(:name)"),
        {"name": name},
    ).scalar()
    if pending is not None:
        how = "finalize" if pending else "concurrently"
        connection.execute(text(f"alter table daily detach partition {name} {how}"))
    connection.execute(text(f"drop table {name}"))
