"""Keep each package's downloads since the first loaded day, and what purged months add to them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "packages", sa.Column("total", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
    op.create_table(
        "monthly",
        sa.Column("package_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("downloads", sa.BigInteger, nullable=False),
    )
    op.create_table("purged_days", sa.Column("day", sa.Date, primary_key=True))
    op.execute(
        """
        update packages p set total = d.total
        from (
            select package_id, sum(without_mirrors) as total from daily group by package_id
        ) d where d.package_id = p.id
        """
    )


def downgrade() -> None:
    op.drop_table("purged_days")
    op.drop_table("monthly")
    op.drop_column("packages", "total")
