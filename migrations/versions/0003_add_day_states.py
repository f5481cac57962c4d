"""Let the ledger know what state a day is in, and of days that are not loaded."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
LOADED = ("source", "packages", "downloads", "loaded_at")


def upgrade() -> None:
    table = "ingested_days"
    op.add_column(
        table, sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'loaded'"))
    )
    op.add_column(table, sa.Column("changed_at", TIME))
    op.add_column(table, sa.Column("tried_at", TIME))
    op.add_column(
        table, sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
    op.add_column(table, sa.Column("note", sa.Text))
    for column in LOADED:
        op.alter_column(table, column, nullable=True)
    op.execute("alter table ingested_days alter column loaded_at drop default")
    op.execute("update ingested_days set changed_at = loaded_at, tried_at = loaded_at")
    op.create_check_constraint(
        "ingested_days_state", table, "state in ('missing', 'loaded', 'suspect', 'final')"
    )
    op.create_check_constraint(
        "ingested_days_loaded",
        table,
        "state = 'missing' or (source is not null and packages is not null"
        " and downloads is not null and loaded_at is not null)",
    )


def downgrade() -> None:
    table = "ingested_days"
    op.execute("delete from ingested_days where state = 'missing'")
    op.drop_constraint("ingested_days_loaded", table)
    op.drop_constraint("ingested_days_state", table)
    op.execute("alter table ingested_days alter column loaded_at set default now()")
    for column in LOADED:
        op.alter_column(table, column, nullable=False)
    for column in ("note", "attempts", "tried_at", "changed_at", "state"):
        op.drop_column(table, column)
