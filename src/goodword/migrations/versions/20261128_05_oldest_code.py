"""Record beside the revision the oldest one whose code may use the schema, so that old and new code run side by side.

A migration that old code does not survive sets it: `UPDATE alembic_version SET oldest_code = '20270101_01'`.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_05"
down_revision = "20261128_04"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    column = sa.Column("oldest_code", sa.String(32), server_default=revision, nullable=False)
    op.add_column("alembic_version", column)
