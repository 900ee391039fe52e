"""Find expired rows and due jobs by an index."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_04"
down_revision = "20261128_03"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    create_index("ix_sessions_idle_expires_at", "sessions", "idle_expires_at")
    create_index("ix_sessions_revoked_at", "sessions", "revoked_at", where="revoked_at IS NOT NULL")
    create_index("ix_oauth_codes_browser_session_id", "oauth_codes", "browser_session_id")
    create_index("ix_oauth_codes_session_id", "oauth_codes", "session_id")
    create_index("ix_email_checks_checked_at", "email_checks", "checked_at", where="status <> 'restricted'")
    create_index("ix_email_checks_unchecked", "email_checks", "created_at", where="checked_at IS NULL")
    op.drop_index("ix_email_checks_created_at", "email_checks")
    create_index("ix_jobs_kind_due", "jobs", "kind", "run_at", "id", where="finished_at IS NULL")
    create_index("ix_jobs_outcome", "jobs", "outcome", "finished_at", "id", where="outcome IS NOT NULL")
    op.drop_index("ix_jobs_finished_at", "jobs")
    op.drop_index("ix_jobs_dead", "jobs")


def create_index(name: str, table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)
