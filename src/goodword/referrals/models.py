"""The table of referrals."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class ReferralStatus(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Referral(Base):
    """A registration of a referee with a referrer's code. Its referrer never changes."""

    __tablename__ = "referrals"
    __table_args__ = (
        Index("uq_referrals_referee_id", "referee_id", unique=True),
        CheckConstraint("referrer_id <> referee_id", name="not_oneself"),
        CheckConstraint("status IN ('pending', 'confirmed', 'rejected')", name="status"),
        Index("ix_referrals_referrer_id_created_at_id", "referrer_id", "created_at", "id"),
        Index("ix_referrals_code_id", "code_id"),
    )

    referrer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    referee_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    code_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("referral_codes.id"))
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(255))
    confirmed_at: Mapped[datetime | None]
