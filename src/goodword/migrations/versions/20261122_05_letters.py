"""Letters that one person causes another to get, and jobs that recur, wake their workers and can be run again."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_05"
down_revision = "20261122_04"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("jobs", sa.Column("slot", sa.String(length=128), nullable=True))
    op.create_index(
        "uq_jobs_slot",
        "jobs",
        ["slot"],
        unique=True,
        postgresql_where=sa.text("slot IS NOT NULL"),
        sqlite_where=sa.text("slot IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        ["finished_at", "id"],
        postgresql_where=sa.text("outcome = 'dead'"),
        sqlite_where=sa.text("outcome = 'dead'"),
    )
    op.drop_index("ix_jobs_finished_at", "jobs")
    op.create_index(
        "ix_jobs_finished_at",
        "jobs",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
        sqlite_where=sa.text("finished_at IS NOT NULL"),
    )
    op.add_column("users", sa.Column("language", sa.String(length=8), server_default="en", nullable=False))

    op.create_table(
        "email_quotas",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("scope_mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_quotas")),
    )
    op.create_index("uq_email_quotas_scope_mac", "email_quotas", ["scope_mac"], unique=True)
    op.create_index("ix_email_quotas_ends_at", "email_quotas", ["ends_at"])
    op.create_table(
        "unsubscribes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("address_mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unsubscribes")),
    )
    op.create_index("uq_unsubscribes_address_mac", "unsubscribes", ["address_mac"], unique=True)

    if postgresql:
        # In the transaction that adds a job, so that workers are woken by its commit and by nothing else.
        op.execute(
            "CREATE FUNCTION jobs_notify() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_notify('goodword_jobs', ''); RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER jobs_notify AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION jobs_notify()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("DROP TRIGGER jobs_notify ON jobs")
        op.execute("DROP FUNCTION jobs_notify()")
    op.drop_table("unsubscribes")
    op.drop_table("email_quotas")
    op.drop_column("users", "language")
    op.drop_index("ix_jobs_finished_at", "jobs")
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at"])
    op.drop_index("ix_jobs_dead", "jobs")
    op.drop_index("uq_jobs_slot", "jobs")
    op.drop_column("jobs", "slot")
