"""The tables of webhooks: endpoints, events, their deliveries, and each attempt."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index


class EndpointStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why an endpoint is disabled."""

    REQUESTED = "requested"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """No delivery succeeded for days."""


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


PENDING, ENDED = "status = 'pending'", "status <> 'pending'"


class WebhookEndpoint(Base):
    """An address that gets events. The row of a deleted endpoint stays until its deliveries have expired."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("status IN ('enabled', 'disabled')", name="status"),
        CheckConstraint("disabled_reason IN ('requested', 'gone', 'failing')", name="disabled_reason"),
        CheckConstraint("(status = 'disabled') = (disabled_reason IS NOT NULL)", name="disabled_with_reason"),
        CheckConstraint("(deleted_at IS NULL) = (secret IS NOT NULL)", name="secret_until_deleted"),
        CheckConstraint(
            "(previous_secret IS NULL) = (previous_valid_until IS NULL)", name="previous_secret_with_end"
        ),
        CheckConstraint("(sender_id IS NULL) = (sending_until IS NULL)", name="sender_with_lease"),
        partial_index("ix_webhook_endpoints_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
    )

    program_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("programs.id"))
    """The only program whose events it gets. Null: all programs."""
    url: Mapped[str] = mapped_column(String(2000))
    kinds: Mapped[str] = mapped_column(Text)
    """Separated by spaces."""
    description: Mapped[str | None] = mapped_column(String(255))
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Sealed: see `signing`."""
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_valid_until: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(16), default=EndpointStatus.ENABLED)
    disabled_reason: Mapped[str | None] = mapped_column(String(16))
    failing_since: Mapped[datetime | None]
    """The first failure since the last delivery that succeeded."""
    last_succeeded_at: Mapped[datetime | None]
    last_failed_at: Mapped[datetime | None]
    sender_id: Mapped[uuid.UUID | None]
    """The job that sends to the endpoint: one at a time, so that a slow endpoint delays itself alone."""
    sending_until: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    @property
    def is_enabled(self) -> bool:
        return self.status == EndpointStatus.ENABLED and self.deleted_at is None


class WebhookSequence(Base):
    """The number of the last event of an object. Its id is that of the object."""

    __tablename__ = "webhook_sequences"

    last: Mapped[int] = mapped_column(BigInteger)


class WebhookEvent(Base):
    """What happened, written in the transaction that made it true. Its data has ids and states only."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        UniqueConstraint("object_id", "sequence", name="uq_webhook_events_object_id_sequence"),
        Index("ix_webhook_events_created_at", "created_at"),
    )

    program_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("programs.id"))
    kind: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[uuid.UUID]
    sequence: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[str] = mapped_column(Text)
    """JSON. External ids of people are added when it is sent, so that the row holds none of an erased user."""


class WebhookDelivery(Base):
    """An event for an endpoint."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "endpoint_id", name="uq_webhook_deliveries_event_id_endpoint_id"),
        CheckConstraint("status IN ('pending', 'succeeded', 'failed')", name="status"),
        CheckConstraint("(status = 'pending') = (next_attempt_at IS NOT NULL)", name="pending_with_time"),
        partial_index("ix_webhook_deliveries_due", "endpoint_id", "next_attempt_at", "id", where=PENDING),
        Index("ix_webhook_deliveries_endpoint_id_created_at", "endpoint_id", "created_at", "id"),
        partial_index("ix_webhook_deliveries_ended", "created_at", where=ENDED),
    )

    event_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook_events.id"))
    endpoint_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    kind: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), default=DeliveryStatus.PENDING)
    attempt: Mapped[int] = mapped_column(BigInteger, default=0)
    """The attempts since the event was written or replayed."""
    next_attempt_at: Mapped[datetime | None]
    response_status: Mapped[int | None] = mapped_column(BigInteger)
    """Of the last attempt, as `error` and `duration_ms`."""
    error: Mapped[str | None] = mapped_column(String(32))
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)


class WebhookAttempt(Base):
    """A request for a delivery. The body of the answer is not kept: it may repeat personal data."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        Index("ix_webhook_attempts_delivery_id_created_at", "delivery_id", "created_at"),
        Index("ix_webhook_attempts_created_at", "created_at"),
    )

    delivery_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"))
    response_status: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(String(32))
    duration_ms: Mapped[int] = mapped_column(BigInteger)


HAS_ENDED = text(ENDED)
HAS_NO_DELIVERY = ~select(WebhookDelivery.id).where(WebhookDelivery.event_id == WebhookEvent.id).exists()
GETS_NOTHING = ~select(WebhookDelivery.id).where(WebhookDelivery.endpoint_id == WebhookEndpoint.id).exists()
