"""Checked addresses, profiles, and the state of each provider."""

import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index

KEPT = timedelta(days=90)
UNKNOWN_KEPT = timedelta(days=1)
IS_UNRESTRICTED = text("status <> 'restricted'")
"""Without a parameter: with one, the databases would not use the partial index."""


class Status(StrEnum):
    """Hunter's status of an address, or `restricted`: its owner has forbidden to process it."""

    VALID = "valid"
    INVALID = "invalid"
    ACCEPT_ALL = "accept_all"
    WEBMAIL = "webmail"
    DISPOSABLE = "disposable"
    UNKNOWN = "unknown"
    RESTRICTED = "restricted"


class Verdict(StrEnum):
    DELIVERABLE = "deliverable"
    UNDELIVERABLE = "undeliverable"
    RISKY = "risky"
    UNKNOWN = "unknown"


VERDICTS = {
    Status.VALID: Verdict.DELIVERABLE,
    Status.INVALID: Verdict.UNDELIVERABLE,
    Status.ACCEPT_ALL: Verdict.RISKY,
    Status.WEBMAIL: Verdict.RISKY,
    Status.DISPOSABLE: Verdict.RISKY,
}
"""The verdict of every other status is unknown."""


class EmailCheck(Base):
    """The result of checking one address, which is stored as a keyed hash."""

    __tablename__ = "email_checks"
    __table_args__ = (
        CheckConstraint(
            "status IN ('valid', 'invalid', 'accept_all', 'webmail', 'disposable', 'unknown', 'restricted')",
            name="status",
        ),
        CheckConstraint("(status IS NULL) = (checked_at IS NULL)", name="checked_with_status"),
        Index("uq_email_checks_address_mac", "address_mac", unique=True),
        Index("ix_email_checks_user_id", "user_id"),
        partial_index("ix_email_checks_checked_at", "checked_at", where=IS_UNRESTRICTED.text),
        partial_index("ix_email_checks_unchecked", "created_at", where="checked_at IS NULL"),
    )

    address_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """The account with this address. Its erasure deletes the row, unless it is restricted."""
    provider: Mapped[str] = mapped_column(String(32))
    status: Mapped[str | None] = mapped_column(String(16))
    checked_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    """Until this time other requests wait for the result of the one that asks the provider."""

    def is_fresh(self, now: datetime) -> bool:
        """Return whether the result is still valid."""
        if self.status is None or self.checked_at is None:
            return False
        if self.status == Status.RESTRICTED:
            return True
        return now < self.checked_at + (UNKNOWN_KEPT if self.status == Status.UNKNOWN else KEPT)


class Profile(Base):
    """Data about a user from an enrichment provider, which the user has not confirmed."""

    __tablename__ = "profiles"
    __table_args__ = (Index("uq_profiles_user_id", "user_id", unique=True),)

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    provider: Mapped[str] = mapped_column(String(32))
    full_name: Mapped[str | None] = mapped_column(String(200))
    title: Mapped[str | None] = mapped_column(String(200))
    role: Mapped[str | None] = mapped_column(String(100))
    company: Mapped[str | None] = mapped_column(String(200))
    company_domain: Mapped[str | None] = mapped_column(String(253))
    city: Mapped[str | None] = mapped_column(String(100))
    country: Mapped[str | None] = mapped_column(String(100))
    linkedin: Mapped[str | None] = mapped_column(String(100))
    github: Mapped[str | None] = mapped_column(String(100))
    twitter: Mapped[str | None] = mapped_column(String(100))


class BreakerState(StrEnum):
    """Closed: requests pass. Open: none passes. Half-open: one passes, to test the provider."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class ProviderState(Base):
    """The rate limit and the circuit breaker of a provider, shared by all nodes."""

    __tablename__ = "provider_states"
    __table_args__ = (Index("uq_provider_states_name", "name", unique=True),)

    name: Mapped[str] = mapped_column(String(32))
    free_at: Mapped[datetime]
    """When the whole burst is free again: the theoretical arrival time of GCRA."""
    failures: Mapped[int]
    """Consecutive failures."""
    open_until: Mapped[datetime | None]

    def breaker(self, now: datetime) -> BreakerState:
        """Return the state of the circuit breaker."""
        if self.open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until else BreakerState.HALF_OPEN
