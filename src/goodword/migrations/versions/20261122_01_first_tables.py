"""The first tables: people, their sessions, codes and referrals, signing keys and stored answers."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_01"
down_revision = None
branch_labels = None
depends_on = None


COUNTER_GROWS = "the counter of a session only grows"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("retired_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.create_index(
        "uq_signing_keys_current",
        "signing_keys",
        ["algorithm"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
        sqlite_where=sa.text("retired_at IS NULL"),
    )

    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_key", sa.String(length=320), nullable=True),
        sa.Column("email_canonical", sa.String(length=320), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("first_name", sa.String(length=100), nullable=True),
        sa.Column("last_name", sa.String(length=100), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("verified_at", moment, nullable=True),
        sa.Column("erased_at", moment, nullable=True),
        sa.CheckConstraint(
            "(status = 'erased') = (email_key IS NULL) AND (email IS NULL) = (email_key IS NULL)",
            name=op.f("ck_users_address_until_erased"),
        ),
        sa.CheckConstraint("status IN ('active', 'disabled', 'erased')", name=op.f("ck_users_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("ix_users_email_canonical", "users", ["email_canonical"])
    op.create_index("uq_users_email_key", "users", ["email_key"], unique=True)

    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("caller", sa.String(length=36), nullable=False),
        sa.Column("route", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("location", sa.String(length=255), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_index("ix_idempotency_keys_user_id", "idempotency_keys", ["user_id"])
    op.create_index(
        "uq_idempotency_keys_caller_route_key", "idempotency_keys", ["caller", "route", "key"], unique=True
    )

    op.create_table(
        "referral_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=True),
        sa.Column("key", sa.String(length=32), nullable=True),
        sa.Column("key_mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("activated_at", moment, nullable=True),
        sa.Column("retired_at", moment, nullable=True),
        sa.Column("retired_reason", sa.String(length=16), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("discoverable", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('generated', 'chosen')", name=op.f("ck_referral_codes_kind")),
        sa.CheckConstraint(
            "(retired_at IS NULL) = (retired_reason IS NULL)",
            name=op.f("ck_referral_codes_retired_with_reason"),
        ),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_referral_codes_term")),
        sa.CheckConstraint(
            "uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name=op.f("ck_referral_codes_uses")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_referral_codes_owner_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_codes")),
    )
    op.create_index("ix_referral_codes_owner_id_created_at", "referral_codes", ["owner_id", "created_at"])
    op.create_index("uq_referral_codes_key", "referral_codes", ["key"], unique=True)
    op.create_index("uq_referral_codes_key_mac", "referral_codes", ["key_mac"], unique=True)
    op.create_index(
        "uq_referral_codes_owner_in_force",
        "referral_codes",
        ["owner_id"],
        unique=True,
        postgresql_where=sa.text("activated_at IS NOT NULL AND retired_at IS NULL"),
        sqlite_where=sa.text("activated_at IS NOT NULL AND retired_at IS NULL"),
    )

    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("rotated_at", moment, nullable=False),
        sa.Column("idle_expires_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("scope", sa.String(length=255), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("revoked_at", moment, nullable=True),
        sa.Column("revoked_reason", sa.String(length=32), nullable=True),
        sa.CheckConstraint("counter >= 0", name=op.f("ck_sessions_counter")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])

    op.create_table(
        "referrals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("referee_id", sa.Uuid(), nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=True),
        sa.Column("confirmed_at", moment, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'confirmed', 'rejected')", name=op.f("ck_referrals_status")
        ),
        sa.CheckConstraint("referrer_id <> referee_id", name=op.f("ck_referrals_not_oneself")),
        sa.ForeignKeyConstraint(
            ["code_id"], ["referral_codes.id"], name=op.f("fk_referrals_code_id_referral_codes")
        ),
        sa.ForeignKeyConstraint(["referee_id"], ["users.id"], name=op.f("fk_referrals_referee_id_users")),
        sa.ForeignKeyConstraint(["referrer_id"], ["users.id"], name=op.f("fk_referrals_referrer_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referrals")),
    )
    op.create_index("ix_referrals_code_id", "referrals", ["code_id"])
    op.create_index(
        "ix_referrals_referrer_id_created_at_id", "referrals", ["referrer_id", "created_at", "id"]
    )
    op.create_index("uq_referrals_referee_id", "referrals", ["referee_id"], unique=True)

    _guard_counter()


def _guard_counter() -> None:
    # A refresh token is its session and its number: one that came back would be a replay that works.
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"""
            CREATE FUNCTION sessions_counter_grows() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{COUNTER_GROWS}'; END $$
            """
        )
        op.execute(
            """
            CREATE TRIGGER sessions_counter_grows BEFORE UPDATE OF counter ON sessions FOR EACH ROW
            WHEN (NEW.counter < OLD.counter) EXECUTE FUNCTION sessions_counter_grows()
            """
        )
    else:
        op.execute(
            f"""
            CREATE TRIGGER sessions_counter_grows BEFORE UPDATE OF counter ON sessions FOR EACH ROW
            WHEN NEW.counter < OLD.counter BEGIN SELECT RAISE(ABORT, '{COUNTER_GROWS}'); END
            """
        )


def downgrade() -> None:

    op.drop_table("referrals")

    op.drop_table("sessions")

    op.drop_table("referral_codes")

    op.drop_table("idempotency_keys")

    op.drop_table("users")

    op.drop_table("signing_keys")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION sessions_counter_grows()")
