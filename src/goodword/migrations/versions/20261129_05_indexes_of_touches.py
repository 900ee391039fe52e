"""Find the touches of a program, and those whose hashes are old, by an index."""

import sqlalchemy as sa
from alembic import op

revision = "20261129_05"
down_revision = "20261129_04"
branch_labels = None
depends_on = None

HASHED = sa.text("(network_mac IS NOT NULL OR device_mac IS NOT NULL)")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_index("ix_touches_program_id_created_at", "touches", ["program_id", "created_at"])
    op.create_index(
        "ix_touches_hashed", "touches", ["created_at"], postgresql_where=HASHED, sqlite_where=HASHED
    )
    op.drop_index("ix_touches_created_at", "touches")
