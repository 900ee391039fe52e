"""Add risk signals of referrals and what they are found by, and reviews."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261129_10"
down_revision = "20261129_08"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KINDS = (
    "kind IN ('same_network', 'same_device', 'same_mailbox', 'disposable_address', 'velocity', "
    "'circle_attempt', 'registered_before')"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("users", sa.Column("reported_email_canonical", sa.String(320)))
    _create_index("ix_users_reported_email_canonical", "users", "reported_email_canonical")
    _create_index("ix_referrals_code_id_created_at", "referrals", "code_id", "created_at")
    op.drop_index("ix_referrals_code_id", "referrals")
    _create_index("ix_referrals_held", "referrals", "created_at", "id", where="status = 'held'")
    _create_signals()
    _create_reviews()
    _create_seen_clients()
    _create_former_referees()


def _table(name: str, *elements: Any) -> None:
    identity = sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("created_at", MOMENT, nullable=False)
    op.create_table(name, *identity, *elements)


def _create_index(
    name: str, table: str, *columns: str, where: str | None = None, unique: bool = False
) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def _create_signals() -> None:
    _table(
        "risk_signals",
        sa.Column("referral_id", sa.Uuid(), sa.ForeignKey("referrals.id"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("evidence_mac", sa.LargeBinary(32)),
        sa.CheckConstraint(KINDS, name="kind"),
        sa.CheckConstraint("level IN ('low', 'medium', 'high')", name="level"),
    )
    _create_index("uq_risk_signals_referral_id_kind", "risk_signals", "referral_id", "kind", unique=True)
    _create_index("ix_risk_signals_evidence", "risk_signals", "created_at", where="evidence_mac IS NOT NULL")


def _create_reviews() -> None:
    _table(
        "reviews",
        sa.Column("referral_id", sa.Uuid(), sa.ForeignKey("referrals.id"), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.CheckConstraint("decision IN ('accepted', 'rejected')", name="decision"),
    )
    _create_index("ix_reviews_referral_id", "reviews", "referral_id")


def _create_seen_clients() -> None:
    _table(
        "seen_clients",
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("network_mac", sa.LargeBinary(32)),
        sa.Column("device_mac", sa.LargeBinary(32)),
    )
    _create_index("ix_seen_clients_user_id_created_at", "seen_clients", "user_id", "created_at")
    _create_index("ix_seen_clients_created_at", "seen_clients", "created_at")


def _create_former_referees() -> None:
    _table(
        "former_referees",
        sa.Column("program_id", sa.Uuid(), sa.ForeignKey("programs.id"), nullable=False),
        sa.Column("person_mac", sa.LargeBinary(32), nullable=False),
    )
    _create_index(
        "uq_former_referees_person_mac_program_id", "former_referees", "person_mac", "program_id", unique=True
    )
    _create_index("ix_former_referees_created_at", "former_referees", "created_at")
