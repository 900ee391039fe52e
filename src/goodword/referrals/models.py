"""The table of referrals."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index
from goodword.programs.models import program_reference

IS_HELD = text("referrals.status = 'held'")
"""Without a parameter: with one, the databases would not use the partial index."""


class ReferralStatus(StrEnum):
    PENDING = "pending"
    HELD = "held"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    REVERSED = "reversed"


class AttributedBy(StrEnum):
    """What connected the referee with the referrer."""

    CODE = "code"
    TOUCH = "touch"


class Referral(Base):
    """A referee who joined a program because of a referrer. The referrer never changes."""

    __tablename__ = "referrals"
    __table_args__ = (
        Index("uq_referrals_referee_id_program_id", "referee_id", "program_id", unique=True),
        CheckConstraint("referrer_id <> referee_id", name="not_oneself"),
        CheckConstraint("status IN ('pending', 'held', 'confirmed', 'rejected', 'reversed')", name="status"),
        CheckConstraint("attributed_by IN ('code', 'touch')", name="attributed_by"),
        Index("ix_referrals_referrer_id_created_at_id", "referrer_id", "created_at", "id"),
        Index("ix_referrals_code_id_created_at", "code_id", "created_at"),
        partial_index("ix_referrals_held", "created_at", "id", where="status = 'held'"),
    )

    referrer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    referee_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    code_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("referral_codes.id"))
    program_id: Mapped[uuid.UUID] = program_reference()
    attributed_by: Mapped[str] = mapped_column(
        String(16), default=AttributedBy.CODE, server_default=AttributedBy.CODE
    )
    touch_id: Mapped[uuid.UUID | None]
    """The touch that counted. Its row is removed after a time."""
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(255))
    confirmed_at: Mapped[datetime | None]
    registered_before: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the referee was referred before, in the same program, and erased."""
