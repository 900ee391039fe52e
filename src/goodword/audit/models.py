"""The audit log. Rows are inserted, sealed once, and never deleted or otherwise updated."""

import uuid

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index

WITH_ADDRESS = text("address IS NOT NULL")


class AuditEvent(Base):
    """An event. Its id begins with its time, so ids are in the order of events.

    There are no foreign keys, because a row outlives its subject. A trigger forbids to delete a row and to update
    one, except to seal it once and to clear the address of a sealed row.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        CheckConstraint("(sequence IS NULL) = (hash IS NULL)", name="sealed_with_hash"),
        CheckConstraint("actor IN ('user', 'server', 'operator', 'system', 'anonymous')", name="actor"),
        partial_index("ix_audit_events_unsealed", "id", where="sequence IS NULL"),
        partial_index("uq_audit_events_sequence", "sequence", unique=True, where="sequence IS NOT NULL"),
        Index("ix_audit_events_actor_id", "actor_id", "id"),
        Index("ix_audit_events_person_id", "person_id", "id"),
        partial_index("ix_audit_events_with_address", "id", where=WITH_ADDRESS.text),
    )

    action: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[uuid.UUID | None]
    person_id: Mapped[uuid.UUID | None]
    """The owner of the subject, who may be another user than the actor."""
    subject: Mapped[str] = mapped_column(String(16))
    subject_id: Mapped[uuid.UUID | None]
    client: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(36))
    address: Mapped[str | None] = mapped_column(String(45))
    """Cleared after 90 days, and when the user is erased. The seal covers `address_mac` instead."""
    details: Mapped[str] = mapped_column(Text)
    """JSON with the fields of `actions.DETAILS`."""
    address_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    """From 1, without gaps."""
    hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """HMAC over the previous hash and all columns but the address."""
