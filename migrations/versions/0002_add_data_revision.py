"""Number the changes of the data, so that answers can be kept until the next one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_revision",
        sa.Column("single", sa.Boolean, primary_key=True, server_default=sa.true()),
        sa.Column("latest", sa.BigInteger, nullable=False, server_default=sa.text("1")),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default=sa.text("1")),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.CheckConstraint("single", name="data_revision_single"),
    )
    op.execute("insert into data_revision default values")
    op.create_table(
        "package_revisions",
        sa.Column("package", sa.Text(collation="C"), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False, index=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("package_revisions")
    op.drop_table("data_revision")
