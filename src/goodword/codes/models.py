"""The referral code and what the database itself guarantees about it."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, LargeBinary, String, and_, or_, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class CodeStatus(StrEnum):
    PREPARED = "prepared"
    ACTIVE = "active"
    EXPIRED = "expired"
    RETIRED = "retired"


class Retirement(StrEnum):
    """Why a code was taken out of force."""

    DELETED = "deleted"
    REPLACED = "replaced"
    EXPIRED = "expired"
    USED_UP = "used_up"
    ERASED = "erased"
    REVOKED = "revoked"


IN_FORCE = "activated_at IS NOT NULL AND retired_at IS NULL"


class ReferralCode(Base):
    """A code that its owner hands out. It works while it is active, in its term, and not used up."""

    __tablename__ = "referral_codes"
    __table_args__ = (
        # An index cannot ask the clock: "in force" here means activated and not retired, and whoever
        # issues or activates a code first retires one that is past its term or used up.
        Index(
            "uq_referral_codes_owner_in_force",
            "owner_id",
            unique=True,
            postgresql_where=text(IN_FORCE),
            sqlite_where=text(IN_FORCE),
        ),
        Index("uq_referral_codes_key", "key", unique=True),
        Index("uq_referral_codes_key_mac", "key_mac", unique=True),
        Index("ix_referral_codes_owner_id_created_at", "owner_id", "created_at"),
        # For administrators: which of all codes end soon.
        Index(
            "ix_referral_codes_expires_at_in_force",
            "expires_at",
            "id",
            postgresql_where=text(IN_FORCE),
            sqlite_where=text(IN_FORCE),
        ),
        CheckConstraint("expires_at > created_at", name="term"),
        CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="uses"),
        CheckConstraint("kind IN ('generated', 'chosen')", name="kind"),
        CheckConstraint("(retired_at IS NULL) = (retired_reason IS NULL)", name="retired_with_reason"),
    )

    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    code: Mapped[str | None] = mapped_column(String(32))
    """As shown to people. Gone, with `key`, when the owner is erased: a chosen code can be a name."""
    key: Mapped[str | None] = mapped_column(String(32))
    """Folded, for comparison: see `strings.fold`."""
    key_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Keyed hash of `key`; stays for ever, so that no string is issued twice, not even an erased person's."""
    kind: Mapped[str] = mapped_column(String(16))
    expires_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    retired_reason: Mapped[str | None] = mapped_column(String(16))
    max_uses: Mapped[int | None]
    uses: Mapped[int] = mapped_column(default=0)
    discoverable: Mapped[bool] = mapped_column(default=True)

    def status(self, now: datetime) -> CodeStatus:
        if self.retired_at is not None:
            return CodeStatus.RETIRED
        if now >= self.expires_at:
            return CodeStatus.EXPIRED
        return CodeStatus.ACTIVE if self.activated_at is not None else CodeStatus.PREPARED

    def is_used_up(self) -> bool:
        return self.max_uses is not None and self.uses >= self.max_uses

    def is_usable(self, now: datetime) -> bool:
        """Whether a friend can join with it now, as far as the code itself goes."""
        return self.status(now) == CodeStatus.ACTIVE and not self.is_used_up()

    def retire(self, why: Retirement, now: datetime) -> None:
        self.retired_at, self.retired_reason = now, why


def usable(now: Any) -> ColumnElement[bool]:
    """The same as `is_usable`, for a query; `now` may be a bind parameter."""
    return and_(
        ReferralCode.activated_at.is_not(None),
        ReferralCode.retired_at.is_(None),
        ReferralCode.expires_at > now,
        or_(ReferralCode.max_uses.is_(None), ReferralCode.uses < ReferralCode.max_uses),
    )
