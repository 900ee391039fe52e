"""Risk signals of referrals, decisions of reviews, and people who were referred before their erasure."""

import uuid
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index


class Level(StrEnum):
    """How strongly a signal speaks against a referral. Only a high one holds it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class SignalKind(StrEnum):
    SAME_NETWORK = "same_network"
    SAME_DEVICE = "same_device"
    SAME_MAILBOX = "same_mailbox"
    DISPOSABLE_ADDRESS = "disposable_address"
    VELOCITY = "velocity"
    CIRCLE_ATTEMPT = "circle_attempt"
    REGISTERED_BEFORE = "registered_before"


class Decision(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class RiskSignal(Base):
    """A sign that a referral may not be genuine."""

    __tablename__ = "risk_signals"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('same_network', 'same_device', 'same_mailbox', 'disposable_address', 'velocity', "
            "'circle_attempt', 'registered_before')",
            name="kind",
        ),
        CheckConstraint("level IN ('low', 'medium', 'high')", name="level"),
        Index("uq_risk_signals_referral_id_kind", "referral_id", "kind", unique=True),
        partial_index("ix_risk_signals_evidence", "created_at", where="evidence_mac IS NOT NULL"),
    )

    referral_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("referrals.id"))
    kind: Mapped[str] = mapped_column(String(32))
    level: Mapped[str] = mapped_column(String(8))
    number: Mapped[int | None] = mapped_column(BigInteger)
    """Of `velocity`: the sign-ups with the code within an hour."""
    evidence_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """The keyed hash that the referrer and the referee share, blanked after 30 days."""


class Review(Base):
    """A decision about a referral. Rows are only added."""

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("decision IN ('accepted', 'rejected')", name="decision"),
        Index("ix_reviews_referral_id", "referral_id"),
    )

    referral_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("referrals.id"))
    decision: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(255))
    actor: Mapped[str] = mapped_column(String(16))
    """The kind of actor, as in the audit log."""
    actor_id: Mapped[uuid.UUID | None]
    """The administrator, API key or app."""


class FormerReferee(Base):
    """A person who was referred in a program and then erased, as a keyed hash of the mailbox or the external id."""

    __tablename__ = "former_referees"
    __table_args__ = (
        Index("uq_former_referees_person_mac_program_id", "person_mac", "program_id", unique=True),
        Index("ix_former_referees_created_at", "created_at"),
    )

    program_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("programs.id"))
    person_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
