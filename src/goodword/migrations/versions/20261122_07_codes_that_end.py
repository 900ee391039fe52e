"""An index for administrators: which of all codes end soon.

It is small to keep: codes in force only, and a use of a code does not touch its columns.

Revision ID: 20261122_07
Revises: 20261122_06
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_07"
down_revision = "20261122_06"
branch_labels = None
depends_on = None

IN_FORCE = sa.text("activated_at IS NOT NULL AND retired_at IS NULL")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_index(
        "ix_referral_codes_expires_at_in_force",
        "referral_codes",
        ["expires_at", "id"],
        postgresql_where=IN_FORCE,
        sqlite_where=IN_FORCE,
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.drop_index("ix_referral_codes_expires_at_in_force", "referral_codes")
