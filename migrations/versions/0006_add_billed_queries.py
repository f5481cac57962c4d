"""Keep what queries were billed, for the daily budget."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "billed_queries",
        sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("packages", sa.Integer),
        sa.Column("estimated", sa.BigInteger, nullable=False),
        sa.Column("billed", sa.BigInteger),
        sa.Column("job_id", sa.Text),
    )


def downgrade() -> None:
    op.drop_table("billed_queries")
