"""Run migrations on the app's database, with an engine of their own.

A migration waits at most four seconds for a lock: readers queue behind a lock that is waited
for, so a long wait would stop the site.
"""

import re

from alembic import context
from flask import current_app
from sqlalchemy import Connection, NullPool, create_engine, event

from pypistats.models import Base

_PARTITION = re.compile(r"daily_\d{4}_\d{2}")


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the monthly partitions, which `store` makes and drops."""
    return not (kind == "table" and name is not None and _PARTITION.fullmatch(name))


engine = create_engine(current_app.config["SQLALCHEMY_DATABASE_URI"], poolclass=NullPool)


@event.listens_for(engine, "begin")
def set_lock_timeout(connection: Connection) -> None:
    """Set it for the transaction: PgBouncer would lend the session to others."""
    connection.exec_driver_sql("set local lock_timeout = '4s'")


with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=is_ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
