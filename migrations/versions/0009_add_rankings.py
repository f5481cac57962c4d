"""Add the lists of the most downloaded packages

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade():
    op.create_table(
        "rankings",
        sa.Column("list", sa.Text, primary_key=True),
        sa.Column("category", sa.Text, primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("until", sa.Date, nullable=False),
        sa.Column("package_ids", sa.ARRAY(sa.Integer), nullable=False),
        sa.Column("downloads", sa.ARRAY(sa.BigInteger), nullable=False),
        sa.Column("before", sa.ARRAY(sa.BigInteger), nullable=False),
    )
    op.add_column(
        "data_revision", sa.Column("ranked", sa.BigInteger, nullable=False, server_default="0")
    )


def downgrade():
    op.drop_column("data_revision", "ranked")
    op.drop_table("rankings")
