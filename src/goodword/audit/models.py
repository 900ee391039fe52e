"""The audit: who did what to what, from where. Rows are added, sealed once, and never changed or removed."""

import uuid

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base

UNSEALED = text("sequence IS NULL")
WITH_ADDRESS = text("address IS NOT NULL")


class AuditEvent(Base):
    """One event. Its id begins with its time, so the order of ids is that of the events.

    Nothing points elsewhere by a foreign key: a row outlives what it tells of. A trigger refuses to remove a
    row and to change one, but for its seal, once, and for the address, which may be cleared after the seal.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        CheckConstraint("(sequence IS NULL) = (hash IS NULL)", name="sealed_with_hash"),
        CheckConstraint("actor IN ('user', 'operator', 'system', 'anonymous')", name="actor"),
        Index("ix_audit_events_unsealed", "id", postgresql_where=UNSEALED, sqlite_where=UNSEALED),
        Index(
            "uq_audit_events_sequence",
            "sequence",
            unique=True,
            postgresql_where=text("sequence IS NOT NULL"),
            sqlite_where=text("sequence IS NOT NULL"),
        ),
        Index("ix_audit_events_actor_id", "actor_id", "id"),
        Index("ix_audit_events_person_id", "person_id", "id"),
        Index("ix_audit_events_with_address", "id", postgresql_where=WITH_ADDRESS, sqlite_where=WITH_ADDRESS),
    )

    action: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[uuid.UUID | None]
    person_id: Mapped[uuid.UUID | None]
    """Whom it concerns: the owner of the subject, who need not be the one who acted."""
    subject: Mapped[str] = mapped_column(String(16))
    subject_id: Mapped[uuid.UUID | None]
    client: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(36))
    address: Mapped[str | None] = mapped_column(String(45))
    """Cleared after some time, and when its person is erased: the seal covers its keyed digest."""
    details: Mapped[str] = mapped_column(Text)
    """JSON, of the fields that `actions.DETAILS` allows."""
    address_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    """From 1, without gaps."""
    hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Keyed, over the hash before it and all of the row but its address."""
