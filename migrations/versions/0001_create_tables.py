"""Create the packages, their daily downloads and the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    packages = op.create_table(
        "packages",
        sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.Text(collation="C"), nullable=False, unique=True),
        *(
            sa.Column(recent, sa.BigInteger, nullable=False, server_default=sa.text("0"))
            for recent in ("last_day", "last_week", "last_month")
        ),
    )
    op.create_index("packages_popular", "packages", [sa.text("last_month DESC")])
    op.bulk_insert(packages, [{"name": "__all__"}])
    op.create_table(
        "daily",
        sa.Column("package_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("with_mirrors", sa.BigInteger, nullable=False),
        sa.Column("without_mirrors", sa.BigInteger, nullable=False),
        *(
            sa.Column(dimension, postgresql.JSON, nullable=False)
            for dimension in ("python_minor", "system", "installer", "version")
        ),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "ingested_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("packages", sa.Integer, nullable=False),
        sa.Column("downloads", sa.BigInteger, nullable=False),
        sa.Column("dry_run_bytes", sa.BigInteger),
        sa.Column("bytes_billed", sa.BigInteger),
        sa.Column("job_id", sa.Text),
        sa.Column(
            "loaded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )


def downgrade() -> None:
    op.drop_table("ingested_days")
    op.drop_table("daily")
    op.drop_table("packages")
