"""Add events, reward rules, rewards with their entries, and coupons."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261129_11"
down_revision = "20261129_10"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
EVENTS = "program_id, type, participant_id, source_id, occurred_at, amount_minor, currency, refunds, outcome"
RULES = (
    "program_id, rule_id, version, trigger, beneficiary, kind, description, amount_minor, basis_points, tiers, "
    "min_amount_minor, max_events, within_seconds, cap_count, cap_per, starts_at, ends_at, hold_seconds, approval"
)
FIXED = {
    # A merge of two people moves `participant_id`, and an erasure clears `details`.
    "events": EVENTS.replace("participant_id, ", ""),
    "reward_rules": RULES,
    "reward_entries": "reward_id, from_status, to_status, amount_minor, actor, actor_id",
    "rewards": "program_id, rule_id, rule_version_id, event_id, referral_id, beneficiary, kind, amount_minor, currency, month",
}
"""Columns that no statement changes. Rows of these tables are never deleted."""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column(
        "referrals", sa.Column("registered_before", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    _create_events()
    _create_rules()
    _create_rewards()
    _create_entries()
    _create_coupons()
    _guard()


def _table(name: str, *elements: Any) -> None:
    identity = sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("created_at", MOMENT, nullable=False)
    op.create_table(name, *identity, *elements)


def _reference(name: str, target: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), sa.ForeignKey(f"{target}.id"), nullable=nullable)


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _index(
    name: str, table: str, columns: list[str], *, unique: bool = False, where: str | None = None
) -> None:
    only = sa.text(where) if where else None
    op.create_index(name, table, columns, unique=unique, postgresql_where=only, sqlite_where=only)


def _create_events() -> None:
    _table(
        "events",
        _reference("program_id", "programs"),
        _text("type", 64),
        _reference("participant_id", "users"),
        _text("source_id", 255),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("amount_minor", sa.BigInteger()),
        _text("currency", 3, nullable=True),
        _text("refunds", 255, nullable=True),
        sa.Column("details", sa.Text()),
        sa.Column("outcome", sa.Text()),
        sa.CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount_with_currency"),
        sa.CheckConstraint("amount_minor >= 0", name="amount"),
    )
    _index("uq_events_program_id_source_id", "events", ["program_id", "source_id"], unique=True)
    _index("ix_events_participant_id_program_id_type", "events", ["participant_id", "program_id", "type"])
    _index("ix_events_program_id_refunds", "events", ["program_id", "refunds"], where="refunds IS NOT NULL")
    _index("ix_events_program_id_created_at_id", "events", ["program_id", "created_at", "id"])


def _create_rules() -> None:
    _table(
        "reward_rules",
        _reference("program_id", "programs"),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _text("trigger", 64),
        _text("beneficiary", 16),
        _text("kind", 16),
        _text("description", 200, nullable=True),
        sa.Column("amount_minor", sa.BigInteger()),
        sa.Column("basis_points", sa.BigInteger()),
        sa.Column("tiers", sa.Text()),
        sa.Column("min_amount_minor", sa.BigInteger()),
        sa.Column("max_events", sa.BigInteger()),
        sa.Column("within_seconds", sa.BigInteger()),
        sa.Column("cap_count", sa.BigInteger()),
        _text("cap_per", 16, nullable=True),
        sa.Column("starts_at", MOMENT),
        sa.Column("ends_at", MOMENT),
        sa.Column("hold_seconds", sa.BigInteger(), nullable=False),
        _text("approval", 16),
        sa.Column("retired_at", MOMENT),
        sa.CheckConstraint("beneficiary IN ('referrer', 'referee')", name="beneficiary"),
        sa.CheckConstraint("kind IN ('credit', 'points', 'coupon', 'custom')", name="kind"),
        sa.CheckConstraint("approval IN ('auto', 'manual')", name="approval"),
        sa.CheckConstraint(
            "(amount_minor IS NOT NULL AND basis_points IS NULL AND tiers IS NULL) OR "
            "(amount_minor IS NULL AND basis_points IS NOT NULL AND tiers IS NULL) OR "
            "(amount_minor IS NULL AND basis_points IS NULL AND tiers IS NOT NULL)",
            name="one_amount",
        ),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
        sa.CheckConstraint("basis_points BETWEEN 1 AND 10000", name="basis_points"),
        sa.CheckConstraint("(cap_count IS NULL) = (cap_per IS NULL) AND cap_count > 0", name="cap"),
        sa.CheckConstraint("max_events > 0 AND within_seconds > 0 AND hold_seconds >= 0", name="limits"),
        sa.CheckConstraint("ends_at > starts_at", name="period"),
    )
    _index("uq_reward_rules_rule_id_version", "reward_rules", ["rule_id", "version"], unique=True)
    _index(
        "uq_reward_rules_rule_id_active", "reward_rules", ["rule_id"], unique=True, where="retired_at IS NULL"
    )
    _index("ix_reward_rules_program_id_created_at_id", "reward_rules", ["program_id", "created_at", "id"])


def _create_rewards() -> None:
    _table(
        "rewards",
        _reference("program_id", "programs"),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        _reference("rule_version_id", "reward_rules"),
        _reference("event_id", "events"),
        _reference("referral_id", "referrals"),
        _reference("referrer_id", "users"),
        _reference("user_id", "users"),
        _text("beneficiary", 16),
        _text("kind", 16),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("remaining_minor", sa.BigInteger(), nullable=False),
        _text("currency", 3, nullable=True),
        _text("status", 16),
        sa.Column("available_at", MOMENT),
        sa.Column("is_automatic", sa.Boolean(), server_default=sa.false(), nullable=False),
        _text("month", 7),
        _text("external_reference", 255, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'fulfilled', 'canceled', 'reversed')", name="status"
        ),
        sa.CheckConstraint("beneficiary IN ('referrer', 'referee')", name="beneficiary"),
        sa.CheckConstraint("kind IN ('credit', 'points', 'coupon', 'custom')", name="kind"),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
        sa.CheckConstraint("remaining_minor BETWEEN 0 AND amount_minor", name="remaining"),
        sa.CheckConstraint(
            "(status IN ('canceled', 'reversed')) = (remaining_minor = 0)", name="nothing_left"
        ),
        sa.CheckConstraint("(kind = 'points') = (currency IS NULL)", name="currency_of_money"),
    )
    _index(
        "uq_rewards_rule_version_id_event_id_beneficiary",
        "rewards",
        ["rule_version_id", "event_id", "beneficiary"],
        unique=True,
    )
    _index("ix_rewards_user_id_created_at_id", "rewards", ["user_id", "created_at", "id"])
    _index("ix_rewards_referrer_id_rule_id_month", "rewards", ["referrer_id", "rule_id", "month"])
    _index("ix_rewards_referral_id", "rewards", ["referral_id"])
    _index("ix_rewards_event_id", "rewards", ["event_id"])
    _index("ix_rewards_program_id_created_at_id", "rewards", ["program_id", "created_at", "id"])
    _index("ix_rewards_program_id_month", "rewards", ["program_id", "month"])
    _index("ix_rewards_due", "rewards", ["available_at"], where="status = 'pending' AND is_automatic")


def _create_entries() -> None:
    _table(
        "reward_entries",
        _reference("reward_id", "rewards"),
        _text("from_status", 16, nullable=True),
        _text("to_status", 16),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        _text("reason", 255, nullable=True),
        _text("actor", 16),
        sa.Column("actor_id", sa.Uuid()),
    )
    _index("ix_reward_entries_reward_id_id", "reward_entries", ["reward_id", "id"])


def _create_coupons() -> None:
    _table(
        "coupons",
        _reference("program_id", "programs"),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        _text("code", 255),
        _reference("reward_id", "rewards", nullable=True),
    )
    _index("uq_coupons_rule_id_code", "coupons", ["rule_id", "code"], unique=True)
    _index("uq_coupons_reward_id", "coupons", ["reward_id"], unique=True)
    _index("ix_coupons_free", "coupons", ["rule_id", "id"], where="reward_id IS NULL")


def _guard() -> None:
    """Refuse to delete rows, and to change what was recorded."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION history_stays() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION '% keeps its history', TG_TABLE_NAME; END$$"
        )
        refuse = "EXECUTE FUNCTION history_stays()"
    for table, columns in FIXED.items():
        if op.get_bind().dialect.name != "postgresql":
            refuse = f"BEGIN SELECT RAISE(ABORT, '{table} keeps its history'); END"
        op.execute(f"CREATE TRIGGER {table}_not_removed BEFORE DELETE ON {table} FOR EACH ROW {refuse}")
        op.execute(
            f"CREATE TRIGGER {table}_not_changed BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW {refuse}"
        )
