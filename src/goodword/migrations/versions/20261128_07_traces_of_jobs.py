"""Store with a job the trace of the request that added it."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_07"
down_revision = "20261128_06"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("jobs", sa.Column("traceparent", sa.String(55)))
