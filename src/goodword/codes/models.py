"""The table of referral codes, with its constraints."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    and_,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base
from goodword.programs.models import Program, program_reference, running


class CodeStatus(StrEnum):
    PREPARED = "prepared"
    ACTIVE = "active"
    EXPIRED = "expired"
    RETIRED = "retired"


class Retirement(StrEnum):
    """Why a code was retired."""

    DELETED = "deleted"
    REPLACED = "replaced"
    EXPIRED = "expired"
    USED_UP = "used_up"
    ERASED = "erased"
    REVOKED = "revoked"


ACTIVE = text("activated_at IS NOT NULL AND retired_at IS NULL")
WHERE_ACTIVE: dict[str, Any] = {"postgresql_where": ACTIVE, "sqlite_where": ACTIVE}


class ReferralCode(Base):
    """A code that its owner shares. It can be used while it is active, not expired and not used up."""

    __tablename__ = "referral_codes"
    __table_args__ = (
        # An index cannot compare with the current time, so an expired or used-up code also counts as active
        # here. The service retires it before it activates another one.
        Index(
            "uq_referral_codes_owner_id_program_id_active",
            "owner_id",
            "program_id",
            unique=True,
            **WHERE_ACTIVE,
        ),
        Index("uq_referral_codes_key", "key", unique=True),
        Index("uq_referral_codes_key_mac", "key_mac", unique=True),
        Index("ix_referral_codes_owner_id_created_at", "owner_id", "created_at"),
        # For the administrators' list of codes that expire soon.
        Index("ix_referral_codes_expires_at_active", "expires_at", "id", **WHERE_ACTIVE),
        CheckConstraint("expires_at > created_at", name="term"),
        CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="uses"),
        CheckConstraint("kind IN ('generated', 'chosen')", name="kind"),
        CheckConstraint("(retired_at IS NULL) = (retired_reason IS NULL)", name="retired_with_reason"),
    )

    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    program_id: Mapped[uuid.UUID] = program_reference()
    code: Mapped[str | None] = mapped_column(String(32))
    """The code as displayed. Erasing the owner sets it and `key` to null: a chosen code can be a name."""
    key: Mapped[str | None] = mapped_column(String(32))
    """The normalised code, for comparison: see `code_format.normalise`."""
    key_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Keyed hash of `key`. It is kept after an erasure, so that no code is issued twice."""
    kind: Mapped[str] = mapped_column(String(16))
    expires_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    retired_reason: Mapped[str | None] = mapped_column(String(16))
    deleted_at: Mapped[datetime | None]
    """When the owner deleted it. A code that was retired before keeps its reason."""
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
        """Return whether the code can be used now. The states of its owner and its program are not considered."""
        return self.status(now) == CodeStatus.ACTIVE and not self.is_used_up()

    def retire(self, reason: Retirement, now: datetime) -> None:
        self.retired_at, self.retired_reason = now, reason


def usable(now: Any) -> ColumnElement[bool]:
    """Return `ReferralCode.is_usable` as an SQL condition; `now` may be a bind parameter."""
    return and_(
        ReferralCode.activated_at.is_not(None),
        ReferralCode.retired_at.is_(None),
        ReferralCode.expires_at > now,
        or_(ReferralCode.max_uses.is_(None), ReferralCode.uses < ReferralCode.max_uses),
    )


def in_running_program(now: Any) -> ColumnElement[bool]:
    """Return an SQL condition for the program of a code, without which the code cannot be used."""
    return ReferralCode.program_id.in_(select(Program.id).where(running(now)))


def has_status(status: CodeStatus, now: Any) -> ColumnElement[bool]:
    """Return whether `ReferralCode.status` is `status`, as an SQL condition; `now` may be a bind parameter."""
    if status == CodeStatus.RETIRED:
        return ReferralCode.retired_at.is_not(None)
    not_retired = ReferralCode.retired_at.is_(None)
    if status == CodeStatus.EXPIRED:
        return and_(not_retired, ReferralCode.expires_at <= now)
    activated = ReferralCode.activated_at
    started = activated.is_not(None) if status == CodeStatus.ACTIVE else activated.is_(None)
    return and_(not_retired, ReferralCode.expires_at > now, started)
