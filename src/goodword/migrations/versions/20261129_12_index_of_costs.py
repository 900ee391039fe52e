"""Let the costs of a program be summed from an index alone."""

import sqlalchemy as sa
from alembic import op

revision = "20261129_12"
down_revision = "20261129_11"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    left = sa.text("remaining_minor > 0")
    op.create_index(
        "ix_rewards_costs",
        "rewards",
        ["program_id", "month", "kind", "currency", "status", "remaining_minor"],
        postgresql_where=left,
        sqlite_where=left,
    )
    op.drop_index("ix_rewards_program_id_month", "rewards")
