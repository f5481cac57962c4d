"""Keep which packages are tracked, and how far they are fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tracked_packages",
        sa.Column("name", sa.Text(collation="C"), primary_key=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True)),
        sa.Column("until", sa.Date),
        sa.Column("empty", sa.Boolean, nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    op.drop_table("tracked_packages")
