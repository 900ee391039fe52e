"""Outside services: verdicts about addresses, who may ask how often, profiles, how each service is doing."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_04"
down_revision = "20261122_03"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "email_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("address_mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=True),
        sa.Column("checked_at", moment, nullable=True),
        sa.Column("asked_until", moment, nullable=True),
        sa.CheckConstraint(
            "status IN ('valid', 'invalid', 'accept_all', 'webmail', 'disposable', 'unknown', 'restricted')",
            name=op.f("ck_email_checks_status"),
        ),
        sa.CheckConstraint(
            "(status IS NULL) = (checked_at IS NULL)", name=op.f("ck_email_checks_checked_with_status")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_checks_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_checks")),
    )
    op.create_index("uq_email_checks_address_mac", "email_checks", ["address_mac"], unique=True)
    op.create_index("ix_email_checks_user_id", "email_checks", ["user_id"])
    op.create_index("ix_email_checks_created_at", "email_checks", ["created_at"])

    op.create_table(
        "email_check_quotas",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_check_quotas_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_check_quotas")),
    )
    op.create_index("uq_email_check_quotas_user_id", "email_check_quotas", ["user_id"], unique=True)

    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("full_name", sa.String(length=200), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=True),
        sa.Column("role", sa.String(length=100), nullable=True),
        sa.Column("company", sa.String(length=200), nullable=True),
        sa.Column("company_domain", sa.String(length=253), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("country", sa.String(length=100), nullable=True),
        sa.Column("linkedin", sa.String(length=100), nullable=True),
        sa.Column("github", sa.String(length=100), nullable=True),
        sa.Column("twitter", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_profiles_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
    )
    op.create_index("uq_profiles_user_id", "profiles", ["user_id"], unique=True)

    op.create_table(
        "provider_states",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("free_at", moment, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_states")),
    )
    op.create_index("uq_provider_states_name", "provider_states", ["name"], unique=True)


def downgrade() -> None:
    op.drop_table("provider_states")
    op.drop_table("profiles")
    op.drop_table("email_check_quotas")
    op.drop_table("email_checks")
