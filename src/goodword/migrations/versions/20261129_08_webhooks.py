"""Add webhooks: endpoints, events with their sequences, deliveries and attempts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261129_08"
down_revision = "20261129_05"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    _create_endpoints()
    _create_events()
    _create_deliveries()
    _create_attempts()


def _table(name: str, *elements: Any) -> sa.Table:
    identity = sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("created_at", MOMENT, nullable=False)
    return op.create_table(name, *identity, *elements)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _foreign_key(table: str, column: str, target: str, **options: Any) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], op.f(f"fk_{table}_{column}_{target}"), **options
    )


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)


def _create_endpoints() -> None:
    name = "webhook_endpoints"
    _table(
        name,
        sa.Column("program_id", sa.Uuid()),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("description", sa.String(255)),
        sa.Column("secret", sa.LargeBinary()),
        sa.Column("previous_secret", sa.LargeBinary()),
        sa.Column("previous_valid_until", MOMENT),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("disabled_reason", sa.String(16)),
        sa.Column("failing_since", MOMENT),
        sa.Column("sender_id", sa.Uuid()),
        sa.Column("sending_until", MOMENT),
        sa.Column("deleted_at", MOMENT),
        _foreign_key(name, "program_id", "programs"),
        _check(name, "status", "status IN ('enabled', 'disabled')"),
        _check(name, "disabled_reason", "disabled_reason IN ('requested', 'gone', 'failing')"),
        _check(name, "disabled_with_reason", "(status = 'disabled') = (disabled_reason IS NOT NULL)"),
        _check(name, "secret_until_deleted", "(deleted_at IS NULL) = (secret IS NOT NULL)"),
        _check(
            name,
            "previous_secret_with_end",
            "(previous_secret IS NULL) = (previous_valid_until IS NULL)",
        ),
        _check(name, "sender_with_lease", "(sender_id IS NULL) = (sending_until IS NULL)"),
    )
    _partial_index("ix_webhook_endpoints_deleted_at", name, ["deleted_at"], "deleted_at IS NOT NULL")


def _create_events() -> None:
    _table("webhook_sequences", sa.Column("last", sa.BigInteger(), nullable=False))
    name = "webhook_events"
    _table(
        name,
        sa.Column("program_id", sa.Uuid()),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        _foreign_key(name, "program_id", "programs"),
        sa.UniqueConstraint("object_id", "sequence", name=op.f("uq_webhook_events_object_id_sequence")),
    )
    op.create_index("ix_webhook_events_created_at", name, ["created_at"])


def _create_deliveries() -> None:
    name = "webhook_deliveries"
    _table(
        name,
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", MOMENT),
        sa.Column("response_status", sa.BigInteger()),
        sa.Column("error", sa.String(32)),
        sa.Column("duration_ms", sa.BigInteger()),
        _foreign_key(name, "event_id", "webhook_events"),
        _foreign_key(name, "endpoint_id", "webhook_endpoints"),
        sa.UniqueConstraint(
            "event_id", "endpoint_id", name=op.f("uq_webhook_deliveries_event_id_endpoint_id")
        ),
        _check(name, "status", "status IN ('pending', 'succeeded', 'failed')"),
        _check(name, "pending_with_time", "(status = 'pending') = (next_attempt_at IS NOT NULL)"),
    )
    due = ["endpoint_id", "next_attempt_at", "id"]
    _partial_index("ix_webhook_deliveries_due", name, due, "status = 'pending'")
    op.create_index("ix_webhook_deliveries_endpoint_id_created_at", name, ["endpoint_id", "created_at", "id"])
    _partial_index("ix_webhook_deliveries_ended", name, ["created_at"], "status <> 'pending'")


def _create_attempts() -> None:
    name = "webhook_attempts"
    _table(
        name,
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("response_status", sa.BigInteger()),
        sa.Column("error", sa.String(32)),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        _foreign_key(name, "delivery_id", "webhook_deliveries", ondelete="CASCADE"),
    )
    op.create_index("ix_webhook_attempts_delivery_id_created_at", name, ["delivery_id", "created_at"])
    op.create_index("ix_webhook_attempts_created_at", name, ["created_at"])
