"""Allow servers as actors in the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "20261129_03"
down_revision = "20261129_02"
branch_labels = None
depends_on = None

ACTORS = "actor IN ('user', 'server', 'operator', 'system', 'anonymous')"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.drop_constraint(op.f("ck_audit_events_actor"), "audit_events", type_="check")
        op.create_check_constraint("actor", "audit_events", ACTORS, postgresql_not_valid=True)
        return
    # SQLite changes a constraint by copying the table, which drops the triggers.
    find = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'")
    triggers = op.get_bind().scalars(find).all()
    for name in ("audit_events_not_removed", "audit_events_not_changed"):
        op.execute(f"DROP TRIGGER {name}")
    with op.batch_alter_table("audit_events") as events:
        events.drop_constraint(op.f("ck_audit_events_actor"), type_="check")
        events.create_check_constraint("actor", ACTORS)
    for trigger in triggers:
        op.execute(trigger)
