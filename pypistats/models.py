"""STORE: the tables, typed. Reads and writes are SQL in `queries` and `store`."""

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Identity,
    Index,
    Integer,
    Text,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from pypistats.extensions import Base, db

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class Package(Model):
    """A package and its downloads, without mirrors: recent ones up to the last loaded day, and all.

    `total` counts from the first day that was ever loaded.

    The collation "C" lets the unique index serve prefix searches, and with the column that results
    are ordered by in it, the largest of thousands of names are found without reading the table.
    """

    __tablename__ = "packages"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text(collation="C"))
    last_day: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_week: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_month: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    total: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))

    __table_args__ = (
        Index("packages_popular", last_month.desc()),
        Index("packages_name", name, unique=True, postgresql_include=["last_month"]),
    )


class Daily(Model):
    """One package's downloads on one UTC day; `store` makes a partition for each month.

    The maps are `json` and not `jsonb`: they are only ever read whole, and take half the space.
    There is no foreign key, since checking it would slow the daily load by half.
    """

    __tablename__ = "daily"
    __table_args__ = {"postgresql_partition_by": "RANGE (day)"}  # noqa: RUF012

    package_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    with_mirrors: Mapped[int] = mapped_column(BigInteger)
    without_mirrors: Mapped[int] = mapped_column(BigInteger)
    python_minor: Mapped[dict[str, int]] = mapped_column(JSON)
    system: Mapped[dict[str, int]] = mapped_column(JSON)
    installer: Mapped[dict[str, int]] = mapped_column(JSON)
    version: Mapped[dict[str, int]] = mapped_column(JSON)


class RankingList(Model):
    """A list of packages for one period: the largest of all, of a category, or of growth.

    The arrays belong together. `before` has the downloads in the period before the list's own,
    and nothing but null where a list doesn't compare. `until` is the last day of the period.
    """

    __tablename__ = "rankings"

    list: Mapped[str] = mapped_column(Text, primary_key=True)
    category: Mapped[str] = mapped_column(Text, primary_key=True)
    period: Mapped[str] = mapped_column(Text, primary_key=True)
    until: Mapped[dt.date]
    package_ids: Mapped["ARRAY[int]"] = mapped_column(ARRAY(Integer))
    downloads: Mapped["ARRAY[int]"] = mapped_column(ARRAY(BigInteger))
    before: Mapped["ARRAY[int]"] = mapped_column(ARRAY(BigInteger))


class Monthly(Model):
    """A package's downloads in the days of a month that were purged, without mirrors.

    What more of a month is to be kept gets columns here.
    """

    __tablename__ = "monthly"

    package_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    month: Mapped[dt.date] = mapped_column(primary_key=True)
    downloads: Mapped[int] = mapped_column(BigInteger)


class PurgedDay(Model):
    """A day that is in `monthly`, and so never counts again, should it be loaded again."""

    __tablename__ = "purged_days"

    day: Mapped[dt.date] = mapped_column(primary_key=True)


class IngestedDay(Model):
    """The ledger: of each day whether it is loaded, from where, how much it was, what it cost."""

    __tablename__ = "ingested_days"
    __table_args__ = (
        CheckConstraint(
            "state in ('missing', 'loaded', 'suspect', 'final')", name="ingested_days_state"
        ),
        CheckConstraint(
            "state = 'missing' or (source is not null and packages is not null"
            " and downloads is not null and loaded_at is not null)",
            name="ingested_days_loaded",
        ),
    )

    day: Mapped[dt.date] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Text, server_default=text("'loaded'"))
    source: Mapped[str | None] = mapped_column(Text)
    packages: Mapped[int | None]
    downloads: Mapped[int | None] = mapped_column(BigInteger)
    dry_run_bytes: Mapped[int | None] = mapped_column(BigInteger)
    bytes_billed: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[str | None] = mapped_column(Text)
    loaded_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    tried_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    note: Mapped[str | None] = mapped_column(Text)


class DataRevision(Model):
    """The one row that numbers the changes of the data.

    `latest` counts every change. `revision` is the last one that touched all packages, made at
    `changed_at`; later ones are in PackageRevision. `ranked` is the one that the lists in
    RankingList were made from.
    """

    __tablename__ = "data_revision"
    __table_args__ = (CheckConstraint("single", name="data_revision_single"),)

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    latest: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    changed_at: Mapped[dt.datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    ranked: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class PackageRevision(Model):
    """A package that changed by itself since the last change of all; that one empties the table."""

    __tablename__ = "package_revisions"

    package: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, index=True)
    changed_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))


class StoredInfo(Model):
    """What PyPI told of a package when it was last asked; not `found` if it knew none."""

    __tablename__ = "package_info"

    package: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    found: Mapped[bool]
    summary: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    license: Mapped[str] = mapped_column(Text)
    requires_python: Mapped[str] = mapped_column(Text)
    latest_version: Mapped[str] = mapped_column(Text)
    released: Mapped[dt.date | None]
    links: Mapped[list[list[str]]] = mapped_column(JSON)
    releases: Mapped[dict[str, str]] = mapped_column(JSON)
    required: Mapped[list[str]] = mapped_column(JSON)
    optional: Mapped[list[str]] = mapped_column(JSON)
    checked_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))


class KnownName(Model):
    """A name that PyPI knows, in normal form, whether it was ever downloaded or not."""

    __tablename__ = "known_names"

    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)


class Chore(Model):
    """Work that is done now and then: when it was last done, and when it is due again."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    done_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    due_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))


class Want(Model):
    """Something of a package that a visitor asked for and a task is to fetch.

    Whoever makes the row queues the task; until `due_at` nobody else does.
    """

    __tablename__ = "wants"

    what: Mapped[str] = mapped_column(Text, primary_key=True)
    package: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    wanted_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    due_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True), index=True)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None] = mapped_column(Text)


class BilledQuery(Model):
    """A query that was, or may be, billed: what was set aside for it, and what it then cost.

    `packages` is how many it asked for, None being all; `billed` is None while that is not known.
    """

    __tablename__ = "billed_queries"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    begun_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True), index=True)
    days: Mapped[int]
    packages: Mapped[int | None]
    estimated: Mapped[int] = mapped_column(BigInteger)
    billed: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[str | None] = mapped_column(Text)


class TrackedPackage(Model):
    """A package that is kept up to date where not all are.

    It has all loaded days up to `until`, since `fetched_at`; None while it waits for that. One
    that was `empty` is looked at again when it is asked for, and not before.
    """

    __tablename__ = "tracked_packages"

    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    fetched_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    until: Mapped[dt.date | None]
    empty: Mapped[bool] = mapped_column(server_default=false())
