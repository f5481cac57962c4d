"""Let the index of names serve searches alone

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    op.create_index(
        "packages_name", "packages", ["name"], unique=True, postgresql_include=["last_month"]
    )
    op.drop_constraint("packages_name_key", "packages")


def downgrade():
    op.create_unique_constraint("packages_name_key", "packages", ["name"])
    op.drop_index("packages_name", "packages")
