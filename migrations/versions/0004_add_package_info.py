"""Keep what PyPI tells: of a package, and all names; and what is to be fetched on demand."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXTS = ("summary", "author", "license", "requires_python", "latest_version")
DOCUMENTS = ("links", "releases", "required", "optional")


def _name(column):
    return sa.Column(column, sa.Text(collation="C"), primary_key=True)


def _time(column, **options):
    return sa.Column(column, sa.DateTime(timezone=True), nullable=False, **options)


def upgrade() -> None:
    op.create_table(
        "package_info",
        _name("package"),
        sa.Column("found", sa.Boolean, nullable=False),
        *(sa.Column(column, sa.Text, nullable=False) for column in TEXTS),
        sa.Column("released", sa.Date),
        *(sa.Column(column, sa.JSON, nullable=False) for column in DOCUMENTS),
        _time("checked_at"),
    )
    op.create_table("known_names", _name("name"))
    op.create_table(
        "chores",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        _time("due_at"),
    )
    op.create_table(
        "wants",
        sa.Column("what", sa.Text, primary_key=True),
        _name("package"),
        _time("wanted_at"),
        _time("due_at", index=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("error", sa.Text),
    )


def downgrade() -> None:
    for table in ("wants", "chores", "known_names", "package_info"):
        op.drop_table(table)
