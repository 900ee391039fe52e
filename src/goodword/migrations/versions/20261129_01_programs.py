"""Add programs, touches and API keys, and people whom a product reports."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261129_01"
down_revision = "20261128_07"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
DEFAULT_PROGRAM = "00000000000070008000000000000001"
"""Hexadecimal, as SQLite stores an id. The default of the new columns is a constant, so no row is rewritten."""

UNCHECKED: Any = {"postgresql_not_valid": True}
"""The next migration checks the rows that exist, with a weaker lock."""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    _create_programs()
    _change_users()
    _change_codes()
    _change_referrals()
    _create_touches()
    _create_api_keys()


def _table(name: str, *elements: Any) -> sa.Table:
    identity = sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("created_at", MOMENT, nullable=False)
    return op.create_table(name, *identity, *elements)


def _program(*, nullable: bool = False) -> sa.Column[Any]:
    default = None if nullable else DEFAULT_PROGRAM
    return sa.Column("program_id", sa.Uuid(), server_default=default, nullable=nullable)


def _create_programs() -> None:
    programs = _table(
        "programs",
        sa.Column("slug", sa.String(63), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("starts_at", MOMENT),
        sa.Column("ends_at", MOMENT),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("link_target", sa.String(2000)),
        sa.Column("unusable_link", sa.String(16), nullable=False),
        sa.Column("code_lifetime", sa.BigInteger()),
        sa.Column("attribution", sa.String(16), nullable=False),
        sa.Column("attribution_window", sa.BigInteger(), nullable=False),
        sa.Column("late_entry_grace", sa.BigInteger(), nullable=False),
        sa.Column("remember_touch", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("status IN ('draft', 'active', 'paused', 'ended')", name="status"),
        sa.CheckConstraint("attribution IN ('first_touch', 'last_touch')", name="attribution"),
        sa.CheckConstraint("unusable_link IN ('page', 'target')", name="unusable_link"),
        sa.CheckConstraint("ends_at > starts_at", name="period"),
        sa.CheckConstraint(
            "attribution_window >= 0 AND late_entry_grace >= 0", name="periods_of_attribution"
        ),
    )
    op.create_index("uq_programs_slug", "programs", ["slug"], unique=True)
    only = sa.text("is_default")
    op.create_index(
        "uq_programs_default",
        "programs",
        ["is_default"],
        unique=True,
        postgresql_where=only,
        sqlite_where=only,
    )
    op.execute(
        programs.insert().values(
            id=sa.literal_column(f"'{DEFAULT_PROGRAM}'"),
            created_at=datetime.now(UTC),
            slug="default",
            name="Default",
            is_default=True,
            status="active",
            time_zone="UTC",
            currency="USD",
            unusable_link="page",
            code_lifetime=365 * 24 * 60 * 60,
            attribution="last_touch",
            attribution_window=30 * 24 * 60 * 60,
            late_entry_grace=24 * 60 * 60,
        )
    )


def _change_users() -> None:
    """Allow people without an address, whom a product reports by an external id."""
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("reported_email", sa.String(254)))
        users.add_column(sa.Column("reported_email_key", sa.String(320)))
        users.add_column(sa.Column("signed_up_at", MOMENT))
        users.add_column(_program(nullable=True))
        users.drop_constraint(op.f("ck_users_address_until_erased"), type_="check")
        users.create_check_constraint(
            "known_until_erased",
            "(status = 'erased') = (email_key IS NULL AND external_id IS NULL) "
            "AND (email IS NULL) = (email_key IS NULL)",
            **UNCHECKED,
        )
        users.create_check_constraint(
            "reported_by_external_id",
            "reported_email_key IS NULL OR external_id IS NOT NULL",
            **UNCHECKED,
        )
        users.create_foreign_key(
            "fk_users_program_id_programs", "programs", ["program_id"], ["id"], **UNCHECKED
        )
    op.create_index("ix_users_reported_email_key", "users", ["reported_email_key"])


def _change_codes() -> None:
    with op.batch_alter_table("referral_codes") as codes:
        codes.add_column(_program())
        codes.create_foreign_key(
            "fk_referral_codes_program_id_programs", "programs", ["program_id"], ["id"], **UNCHECKED
        )
    active = sa.text("activated_at IS NOT NULL AND retired_at IS NULL")
    op.create_index(
        "uq_referral_codes_owner_id_program_id_active",
        "referral_codes",
        ["owner_id", "program_id"],
        unique=True,
        postgresql_where=active,
        sqlite_where=active,
    )
    op.drop_index("uq_referral_codes_owner_active", "referral_codes")


def _change_referrals() -> None:
    with op.batch_alter_table("referrals") as referrals:
        referrals.add_column(_program())
        referrals.add_column(sa.Column("attributed_by", sa.String(16), server_default="code", nullable=False))
        referrals.add_column(sa.Column("touch_id", sa.Uuid()))
        referrals.drop_constraint(op.f("ck_referrals_status"), type_="check")
        referrals.create_check_constraint(
            "status", "status IN ('pending', 'held', 'confirmed', 'rejected', 'reversed')", **UNCHECKED
        )
        referrals.create_check_constraint("attributed_by", "attributed_by IN ('code', 'touch')", **UNCHECKED)
        referrals.create_foreign_key(
            "fk_referrals_program_id_programs", "programs", ["program_id"], ["id"], **UNCHECKED
        )
    op.create_index(
        "uq_referrals_referee_id_program_id", "referrals", ["referee_id", "program_id"], unique=True
    )
    op.drop_index("uq_referrals_referee_id", "referrals")


def _create_touches() -> None:
    _table(
        "touches",
        sa.Column("program_id", sa.Uuid(), sa.ForeignKey("programs.id"), nullable=False),
        sa.Column("code_id", sa.Uuid(), sa.ForeignKey("referral_codes.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("network_mac", sa.LargeBinary(32)),
        sa.Column("device_mac", sa.LargeBinary(32)),
        sa.Column("host", sa.String(255)),
        sa.CheckConstraint("kind IN ('click', 'entry')", name="kind"),
    )
    op.create_index("ix_touches_created_at", "touches", ["created_at"])
    op.create_index("ix_touches_code_id_created_at", "touches", ["code_id", "created_at"])


def _create_api_keys() -> None:
    _table(
        "api_keys",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("key_mac", sa.LargeBinary(32), nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
        sa.Column("program_id", sa.Uuid(), sa.ForeignKey("programs.id")),
        sa.Column("expires_at", MOMENT),
        sa.Column("last_used_on", sa.Date()),
        sa.Column("revoked_at", MOMENT),
    )
    op.create_index("uq_api_keys_key_mac", "api_keys", ["key_mac"], unique=True)
    live = sa.text("revoked_at IS NULL")
    op.create_index(
        "uq_api_keys_name_live", "api_keys", ["name"], unique=True, postgresql_where=live, sqlite_where=live
    )
