"""The epoch of the shared cache: one row, whose id changes when a mark could not be set there.

And room on the pages of codes: each use of a code is written beside the row then, without touching an index.
"""

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

revision = "20261122_03"
down_revision = "20261122_02"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "cache_epoch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cache_epoch")),
    )
    now = sa.func.now() if op.get_bind().dialect.name == "postgresql" else sa.text("'1970-01-01 00:00:00'")
    op.execute(table.insert().values(id=uuid7(), created_at=now))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE referral_codes SET (fillfactor = 85)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE referral_codes RESET (fillfactor)")
    op.drop_table("cache_epoch")
