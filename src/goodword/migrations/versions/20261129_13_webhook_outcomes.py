"""Remember when a webhook endpoint last took an event, and when it last failed."""

import sqlalchemy as sa
from alembic import op

revision = "20261129_13"
down_revision = "20261129_12"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    for name in ("last_succeeded_at", "last_failed_at"):
        op.add_column("webhook_endpoints", sa.Column(name, sa.DateTime(timezone=True)))
