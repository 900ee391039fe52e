"""Events: what participants did in the product, as its server reports it, and what Goodword itself notices."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index

SIGN_UP = "sign_up"
REFERRAL_CONFIRMED = "referral_confirmed"
OWN_TYPES = frozenset({SIGN_UP, REFERRAL_CONFIRMED})
"""The types of events that Goodword makes. A server cannot report them."""
OWN_PREFIX = "goodword:"
"""The source ids of these events begin with it."""


class Event(Base):
    """Something that a participant did. `created_at` is when it was received. Rows are only added."""

    __tablename__ = "events"
    __table_args__ = (
        Index("uq_events_program_id_source_id", "program_id", "source_id", unique=True),
        Index("ix_events_participant_id_program_id_type", "participant_id", "program_id", "type"),
        partial_index("ix_events_program_id_refunds", "program_id", "refunds", where="refunds IS NOT NULL"),
        Index("ix_events_program_id_created_at_id", "program_id", "created_at", "id"),
        CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount_with_currency"),
        CheckConstraint("amount_minor >= 0", name="amount"),
    )

    program_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("programs.id"))
    type: Mapped[str] = mapped_column(String(64))
    participant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    source_id: Mapped[str] = mapped_column(String(255))
    """The id of the event in the system that reports it."""
    occurred_at: Mapped[datetime]
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    """In minor units of the currency, such as cents."""
    currency: Mapped[str | None] = mapped_column(String(3))
    refunds: Mapped[str | None] = mapped_column(String(255))
    """The source id of the event that this one refunds."""
    details: Mapped[str | None] = mapped_column(Text)
    """The metadata, as JSON. Null if there is none, and after the erasure of the participant."""
    outcome: Mapped[str | None] = mapped_column(Text)
    """JSON: why rules made no reward, and warnings. Null if there are none."""
