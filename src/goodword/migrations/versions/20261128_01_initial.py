"""The initial schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

revision = "20261128_01"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COUNTER_GROWS = "the counter of a session only grows"
AUDIT_IS_APPEND_ONLY = "rows of the audit are never removed, and only sealed once"
AUDIT_FIXED = (
    *("id", "created_at", "action", "actor", "actor_id", "person_id"),
    *("subject", "subject_id", "client", "request_id", "details"),
)
AUDIT_SEAL = ("sequence", "hash", "address_mac")


def upgrade() -> None:
    if on_postgresql():
        op.execute("SET LOCAL lock_timeout = '4s'")
    create_users()
    create_sessions()
    create_referral_codes()
    create_referrals()
    create_oauth()
    create_jobs()
    create_mail()
    create_providers()
    create_web()
    create_audit()
    create_cache()


def on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def create_table(name: str, *elements: Any) -> sa.Table:
    """Create a table with the columns common to all tables. Constraints are named by the convention of `db.base`."""
    return op.create_table(
        name,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("created_at", MOMENT, nullable=False),
        *elements,
    )


def create_index(
    name: str, table: str, columns: list[str], *, unique: bool = False, where: str | None = None
) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def create_users() -> None:
    """Create users, their one-time tokens, linked identities and tombstones."""
    create_table(
        "users",
        sa.Column("email", sa.String(254)),
        sa.Column("email_key", sa.String(320)),
        sa.Column("email_canonical", sa.String(320)),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("first_name", sa.String(100)),
        sa.Column("last_name", sa.String(100)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("verified_at", MOMENT),
        sa.Column("erased_at", MOMENT),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("language", sa.String(8), server_default="en", nullable=False),
        sa.CheckConstraint(
            "(status = 'erased') = (email_key IS NULL) AND (email IS NULL) = (email_key IS NULL)",
            name="address_until_erased",
        ),
        sa.CheckConstraint("status IN ('active', 'disabled', 'erased')", name="status"),
    )
    create_index("ix_users_email_canonical", "users", ["email_canonical"])
    create_index("uq_users_email_key", "users", ["email_key"], unique=True)

    create_table(
        "verifications",
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("token_mac", sa.LargeBinary(32), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(320), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.CheckConstraint(
            "purpose IN ('verify_email', 'reset_password', 'change_email')",
            name="purpose",
        ),
    )
    create_index("ix_verifications_email_key", "verifications", ["email_key"])
    create_index("ix_verifications_expires_at", "verifications", ["expires_at"])
    create_index("ix_verifications_user_id_purpose", "verifications", ["user_id", "purpose"])
    create_index("uq_verifications_token_mac", "verifications", ["token_mac"], unique=True)

    create_table(
        "identities",
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("provider", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
    )
    create_index("ix_identities_user_id", "identities", ["user_id"])
    create_index("uq_identities_provider_subject", "identities", ["provider", "subject"], unique=True)

    create_table("tombstones", sa.Column("user_mac", sa.LargeBinary(32), nullable=False))
    create_index("uq_tombstones_user_mac", "tombstones", ["user_mac"], unique=True)


def create_sessions() -> None:
    """Create sessions, signing keys and failed sign-ins."""
    create_table(
        "signing_keys",
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
    )
    create_index(
        "uq_signing_keys_current", "signing_keys", ["algorithm"], unique=True, where="retired_at IS NULL"
    )

    create_table(
        "sessions",
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("rotated_at", MOMENT, nullable=False),
        sa.Column("idle_expires_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64)),
        sa.Column("revoked_at", MOMENT),
        sa.Column("revoked_reason", sa.String(32)),
        sa.Column("place", sa.String(64)),
        sa.CheckConstraint("counter >= 0", name="counter"),
    )
    create_index("ix_sessions_user_id", "sessions", ["user_id"])
    _guard_counter()

    create_table(
        "login_failures",
        sa.Column("address_mac", sa.LargeBinary(32), nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
    )
    create_index("ix_login_failures_last_at", "login_failures", ["last_at"])
    create_index(
        "uq_login_failures_address_mac_network", "login_failures", ["address_mac", "network"], unique=True
    )


def create_referral_codes() -> None:
    create_table(
        "referral_codes",
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("code", sa.String(32)),
        sa.Column("key", sa.String(32)),
        sa.Column("key_mac", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("activated_at", MOMENT),
        sa.Column("retired_at", MOMENT),
        sa.Column("retired_reason", sa.String(16)),
        sa.Column("max_uses", sa.Integer()),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("discoverable", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('generated', 'chosen')", name="kind"),
        sa.CheckConstraint(
            "(retired_at IS NULL) = (retired_reason IS NULL)",
            name="retired_with_reason",
        ),
        sa.CheckConstraint("expires_at > created_at", name="term"),
        sa.CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="uses"),
    )
    create_index("ix_referral_codes_owner_id_created_at", "referral_codes", ["owner_id", "created_at"])
    create_index("uq_referral_codes_key", "referral_codes", ["key"], unique=True)
    create_index("uq_referral_codes_key_mac", "referral_codes", ["key_mac"], unique=True)
    create_index(
        "uq_referral_codes_owner_active",
        "referral_codes",
        ["owner_id"],
        unique=True,
        where="activated_at IS NOT NULL AND retired_at IS NULL",
    )
    create_index(
        "ix_referral_codes_expires_at_active",
        "referral_codes",
        ["expires_at", "id"],
        where="activated_at IS NOT NULL AND retired_at IS NULL",
    )
    if on_postgresql():
        # Free space on each page lets PostgreSQL update the use count without touching an index (HOT).
        op.execute("ALTER TABLE referral_codes SET (fillfactor = 85)")


def create_referrals() -> None:
    create_table(
        "referrals",
        sa.Column("referrer_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("referee_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("code_id", sa.Uuid(), sa.ForeignKey("referral_codes.id"), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.Column("confirmed_at", MOMENT),
        sa.CheckConstraint("status IN ('pending', 'confirmed', 'rejected')", name="status"),
        sa.CheckConstraint("referrer_id <> referee_id", name="not_oneself"),
    )
    create_index("ix_referrals_code_id", "referrals", ["code_id"])
    create_index("ix_referrals_referrer_id_created_at_id", "referrals", ["referrer_id", "created_at", "id"])
    create_index("uq_referrals_referee_id", "referrals", ["referee_id"], unique=True)


def create_oauth() -> None:
    """Create OAuth clients, grants and authorization codes."""
    create_table(
        "oauth_clients",
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("secret_mac", sa.LargeBinary(32)),
        sa.Column("redirect_uris", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
        sa.Column("grant_types", sa.String(255), nullable=False),
        sa.Column("disabled_at", MOMENT),
    )
    create_index("uq_oauth_clients_client_id", "oauth_clients", ["client_id"], unique=True)

    create_table(
        "oauth_grants",
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("client_id", sa.Uuid(), sa.ForeignKey("oauth_clients.id"), nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
    )
    create_index("ix_oauth_grants_client_id", "oauth_grants", ["client_id"])
    create_index("uq_oauth_grants_user_id_client_id", "oauth_grants", ["user_id", "client_id"], unique=True)

    create_table(
        "oauth_codes",
        sa.Column("code_mac", sa.LargeBinary(32), nullable=False),
        sa.Column("client_id", sa.Uuid(), sa.ForeignKey("oauth_clients.id"), nullable=False),
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("redirect_uri", sa.String(2000), nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
        sa.Column("code_challenge", sa.String(128), nullable=False),
        sa.Column("nonce", sa.String(255)),
        sa.Column("signed_in_at", MOMENT, nullable=False),
        sa.Column("browser_session_id", sa.Uuid(), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.Column("session_id", sa.Uuid(), sa.ForeignKey("sessions.id")),
    )
    create_index("ix_oauth_codes_expires_at", "oauth_codes", ["expires_at"])
    create_index("ix_oauth_codes_user_id", "oauth_codes", ["user_id"])
    create_index("uq_oauth_codes_code_mac", "oauth_codes", ["code_mac"], unique=True)


def create_jobs() -> None:
    create_table(
        "jobs",
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("run_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_until", MOMENT),
        sa.Column("leased_by", sa.String(64)),
        sa.Column("finished_at", MOMENT),
        sa.Column("outcome", sa.String(16)),
        sa.Column("error", sa.String(500)),
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id")),
        sa.Column("slot", sa.String(128)),
        sa.CheckConstraint("outcome IN ('done', 'dead')", name="outcome"),
        sa.CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="finished_with_outcome"),
    )
    create_index("ix_jobs_due", "jobs", ["run_at", "id"], where="finished_at IS NULL")
    create_index("ix_jobs_finished_at", "jobs", ["finished_at"], where="finished_at IS NOT NULL")
    create_index("ix_jobs_user_id", "jobs", ["user_id"])
    create_index("uq_jobs_slot", "jobs", ["slot"], unique=True, where="slot IS NOT NULL")
    create_index("ix_jobs_dead", "jobs", ["finished_at", "id"], where="outcome = 'dead'")
    _notify_workers()


def create_mail() -> None:
    """Create quotas and unsubscribes."""
    create_table(
        "quotas",
        sa.Column("scope_mac", sa.LargeBinary(32), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
    )
    create_index("uq_quotas_scope_mac", "quotas", ["scope_mac"], unique=True)
    create_index("ix_quotas_ends_at", "quotas", ["ends_at"])

    create_table("unsubscribes", sa.Column("address_mac", sa.LargeBinary(32), nullable=False))
    create_index("uq_unsubscribes_address_mac", "unsubscribes", ["address_mac"], unique=True)


def create_providers() -> None:
    """Create e-mail checks, profiles and the state of each provider."""
    create_table(
        "email_checks",
        sa.Column("address_mac", sa.LargeBinary(32), nullable=False),
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id")),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16)),
        sa.Column("checked_at", MOMENT),
        sa.Column("claimed_until", MOMENT),
        sa.CheckConstraint(
            "status IN ('valid', 'invalid', 'accept_all', 'webmail', 'disposable', 'unknown', 'restricted')",
            name="status",
        ),
        sa.CheckConstraint("(status IS NULL) = (checked_at IS NULL)", name="checked_with_status"),
    )
    create_index("uq_email_checks_address_mac", "email_checks", ["address_mac"], unique=True)
    create_index("ix_email_checks_user_id", "email_checks", ["user_id"])
    create_index("ix_email_checks_created_at", "email_checks", ["created_at"])

    create_table(
        "profiles",
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("full_name", sa.String(200)),
        sa.Column("title", sa.String(200)),
        sa.Column("role", sa.String(100)),
        sa.Column("company", sa.String(200)),
        sa.Column("company_domain", sa.String(253)),
        sa.Column("city", sa.String(100)),
        sa.Column("country", sa.String(100)),
        sa.Column("linkedin", sa.String(100)),
        sa.Column("github", sa.String(100)),
        sa.Column("twitter", sa.String(100)),
    )
    create_index("uq_profiles_user_id", "profiles", ["user_id"], unique=True)

    create_table(
        "provider_states",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("free_at", MOMENT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", MOMENT),
    )
    create_index("uq_provider_states_name", "provider_states", ["name"], unique=True)


def create_web() -> None:
    """Create stored answers of idempotent requests."""
    create_table(
        "idempotency_keys",
        sa.Column("caller", sa.String(36), nullable=False),
        sa.Column("route", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("location", sa.String(255)),
        sa.Column("body", sa.Text()),
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id")),
    )
    create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    create_index("ix_idempotency_keys_user_id", "idempotency_keys", ["user_id"])
    create_index(
        "uq_idempotency_keys_caller_route_key", "idempotency_keys", ["caller", "route", "key"], unique=True
    )


def create_audit() -> None:
    create_table(
        "audit_events",
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("person_id", sa.Uuid()),
        sa.Column("subject", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("client", sa.String(64)),
        sa.Column("request_id", sa.String(36)),
        sa.Column("address", sa.String(45)),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("address_mac", sa.LargeBinary(32)),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("hash", sa.LargeBinary(32)),
        sa.CheckConstraint("(sequence IS NULL) = (hash IS NULL)", name="sealed_with_hash"),
        sa.CheckConstraint("actor IN ('user', 'operator', 'system', 'anonymous')", name="actor"),
    )
    create_index("ix_audit_events_unsealed", "audit_events", ["id"], where="sequence IS NULL")
    create_index(
        "uq_audit_events_sequence", "audit_events", ["sequence"], unique=True, where="sequence IS NOT NULL"
    )
    create_index("ix_audit_events_with_address", "audit_events", ["id"], where="address IS NOT NULL")
    create_index("ix_audit_events_actor_id", "audit_events", ["actor_id", "id"])
    create_index("ix_audit_events_person_id", "audit_events", ["person_id", "id"])
    _guard_audit()


def create_cache() -> None:
    """Create the cache epoch: one row, whose id is replaced to empty the shared cache."""
    epoch = create_table("cache_epoch")
    now = sa.func.now() if on_postgresql() else sa.text("'1970-01-01 00:00:00'")
    op.execute(epoch.insert().values(id=uuid7(), created_at=now))


def _guard_counter() -> None:
    """Refuse to lower the counter of a session: an old refresh token would be valid again."""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{COUNTER_GROWS}'); END"
    if on_postgresql():
        op.execute(
            f"CREATE FUNCTION sessions_counter_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{COUNTER_GROWS}'; END $$"
        )
        refuse = "EXECUTE FUNCTION sessions_counter_grows()"
    op.execute(
        "CREATE TRIGGER sessions_counter_grows BEFORE UPDATE OF counter ON sessions FOR EACH ROW "
        f"WHEN (NEW.counter < OLD.counter) {refuse}"
    )


def _notify_workers() -> None:
    """Wake the workers when the transaction that adds a job commits (PostgreSQL only)."""
    if not on_postgresql():
        return
    op.execute(
        "CREATE FUNCTION jobs_notify() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('goodword_jobs', ''); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER jobs_notify AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION jobs_notify()"
    )


def _forbidden_update(differ: str) -> str:
    """Return the condition of a refused update: all but sealing a row or clearing a sealed row's address."""
    fixed = [differ.format(column) for column in AUDIT_FIXED]
    sealed = [f"(OLD.{column} IS NOT NULL AND {differ.format(column)})" for column in AUDIT_SEAL]
    address = f"({differ.format('address')} AND (NEW.address IS NOT NULL OR OLD.sequence IS NULL))"
    late = f"(OLD.sequence IS NOT NULL AND {differ.format('address_mac')})"
    return " OR ".join([*fixed, *sealed, address, late])


def _guard_audit() -> None:
    """Make the audit append-only by triggers."""
    on, refuse = "ON audit_events FOR EACH", "EXECUTE FUNCTION audit_events_stay()"
    if on_postgresql():
        op.execute(
            f"CREATE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{AUDIT_IS_APPEND_ONLY}'; END $$"
        )
        op.execute(f"CREATE TRIGGER audit_events_not_emptied BEFORE TRUNCATE {on} STATEMENT {refuse}")
        when = _forbidden_update("OLD.{0} IS DISTINCT FROM NEW.{0}")
    else:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{AUDIT_IS_APPEND_ONLY}'); END"
        when = _forbidden_update("OLD.{0} IS NOT NEW.{0}")
    op.execute(f"CREATE TRIGGER audit_events_not_removed BEFORE DELETE {on} ROW {refuse}")
    op.execute(f"CREATE TRIGGER audit_events_not_changed BEFORE UPDATE {on} ROW WHEN ({when}) {refuse}")
