"""Add the id of a user in another system, and the costs of imported password hashes."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_06"
down_revision = "20261128_05"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("users", sa.Column("external_id", sa.String(255)))
    op.create_index("uq_users_external_id", "users", ["external_id"], unique=True)
    op.create_table(
        "password_costs",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("example", sa.String(255), nullable=False),
    )
    op.create_index("uq_password_costs_example", "password_costs", ["example"], unique=True)
