"""Check the rows that exist by the constraint of the previous migration."""

from alembic import op

revision = "20261129_04"
down_revision = "20261129_03"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("ALTER TABLE audit_events VALIDATE CONSTRAINT ck_audit_events_actor")
