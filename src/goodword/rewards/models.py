"""Reward rules, rewards and their entries, and pools of coupons."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index


class Beneficiary(StrEnum):
    REFERRER = "referrer"
    REFEREE = "referee"


class RewardKind(StrEnum):
    CREDIT = "credit"
    """Money, in the currency of the program."""
    POINTS = "points"
    COUPON = "coupon"
    """A coupon from the pool of the rule."""
    CUSTOM = "custom"
    """Something else, which the operator describes and gives."""


class RewardStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    FULFILLED = "fulfilled"
    CANCELED = "canceled"
    REVERSED = "reversed"


class Approval(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"


class CapPeriod(StrEnum):
    EVER = "ever"
    MONTH = "month"


def _one_of(column: str, values: type[StrEnum]) -> str:
    names = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({names})"


class RewardRule(Base):
    """A version of a rule: what an event earns whom. A version never changes, except that it is retired."""

    __tablename__ = "reward_rules"
    __table_args__ = (
        Index("uq_reward_rules_rule_id_version", "rule_id", "version", unique=True),
        partial_index("uq_reward_rules_rule_id_active", "rule_id", where="retired_at IS NULL", unique=True),
        Index("ix_reward_rules_program_id_created_at_id", "program_id", "created_at", "id"),
        CheckConstraint(_one_of("beneficiary", Beneficiary), name="beneficiary"),
        CheckConstraint(_one_of("kind", RewardKind), name="kind"),
        CheckConstraint(_one_of("approval", Approval), name="approval"),
        CheckConstraint(
            "(amount_minor IS NOT NULL AND basis_points IS NULL AND tiers IS NULL) OR "
            "(amount_minor IS NULL AND basis_points IS NOT NULL AND tiers IS NULL) OR "
            "(amount_minor IS NULL AND basis_points IS NULL AND tiers IS NOT NULL)",
            name="one_amount",
        ),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("basis_points BETWEEN 1 AND 10000", name="basis_points"),
        CheckConstraint("(cap_count IS NULL) = (cap_per IS NULL) AND cap_count > 0", name="cap"),
        CheckConstraint("max_events > 0 AND within_seconds > 0 AND hold_seconds >= 0", name="limits"),
        CheckConstraint("ends_at > starts_at", name="period"),
    )

    program_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("programs.id"))
    rule_id: Mapped[uuid.UUID]
    """The same for all versions of a rule."""
    version: Mapped[int] = mapped_column(BigInteger)
    trigger: Mapped[str] = mapped_column(String(64))
    """The type of event."""
    beneficiary: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    description: Mapped[str | None] = mapped_column(String(200))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    basis_points: Mapped[int | None] = mapped_column(BigInteger)
    """Hundredths of a percent of the event's amount."""
    tiers: Mapped[str | None] = mapped_column(Text)
    """JSON: a list of objects with `from` and `amount_minor` or `basis_points`, by `from`."""
    min_amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    """Events with a smaller amount earn nothing."""
    max_events: Mapped[int | None] = mapped_column(BigInteger)
    """Only the first events of a referee earn something."""
    within_seconds: Mapped[int | None] = mapped_column(BigInteger)
    """Events later than this after the sign-up of the referee earn nothing."""
    cap_count: Mapped[int | None] = mapped_column(BigInteger)
    """The most rewards for the referrals of one referrer."""
    cap_per: Mapped[str | None] = mapped_column(String(16))
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    hold_seconds: Mapped[int] = mapped_column(BigInteger)
    """How long a reward is pending before it can be approved by itself."""
    approval: Mapped[str] = mapped_column(String(16))
    retired_at: Mapped[datetime | None]


class Reward(Base):
    """What a referrer or referee earned by an event."""

    __tablename__ = "rewards"
    __table_args__ = (
        Index(
            "uq_rewards_rule_version_id_event_id_beneficiary",
            "rule_version_id",
            "event_id",
            "beneficiary",
            unique=True,
        ),
        CheckConstraint(_one_of("status", RewardStatus), name="status"),
        CheckConstraint(_one_of("beneficiary", Beneficiary), name="beneficiary"),
        CheckConstraint(_one_of("kind", RewardKind), name="kind"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("remaining_minor BETWEEN 0 AND amount_minor", name="remaining"),
        CheckConstraint("(status IN ('canceled', 'reversed')) = (remaining_minor = 0)", name="nothing_left"),
        CheckConstraint("(kind = 'points') = (currency IS NULL)", name="currency_of_money"),
        Index("ix_rewards_user_id_created_at_id", "user_id", "created_at", "id"),
        Index("ix_rewards_referrer_id_rule_id_month", "referrer_id", "rule_id", "month"),
        Index("ix_rewards_referral_id", "referral_id"),
        Index("ix_rewards_event_id", "event_id"),
        Index("ix_rewards_program_id_created_at_id", "program_id", "created_at", "id"),
        partial_index(
            "ix_rewards_costs",
            *("program_id", "month", "kind", "currency", "status", "remaining_minor"),
            where="remaining_minor > 0",
        ),
        partial_index("ix_rewards_due", "available_at", where="status = 'pending' AND is_automatic"),
    )

    program_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("programs.id"))
    rule_id: Mapped[uuid.UUID]
    rule_version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reward_rules.id"))
    event_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("events.id"))
    referral_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("referrals.id"))
    referrer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    """The referrer of the referral, by whom caps are counted."""
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    """Who gets the reward."""
    beneficiary: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    """In minor units of the currency, or in points."""
    remaining_minor: Mapped[int] = mapped_column(BigInteger)
    """What refunds and reversals have left of it: the sum of its entries."""
    currency: Mapped[str | None] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(16))
    available_at: Mapped[datetime | None]
    """When the hold ends. Null while the referral is pending or held."""
    is_automatic: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it is approved by itself when the hold ends."""
    month: Mapped[str] = mapped_column(String(7))
    """The month of the event in the time zone of the program, such as `2026-11`."""
    external_reference: Mapped[str | None] = mapped_column(String(255))

    @property
    def is_final(self) -> bool:
        return self.status in {RewardStatus.CANCELED, RewardStatus.REVERSED}


class RewardEntry(Base):
    """A change of a reward. Rows are only added; a balance is the sum of the amounts."""

    __tablename__ = "reward_entries"
    __table_args__ = (Index("ix_reward_entries_reward_id_id", "reward_id", "id"),)

    reward_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("rewards.id"))
    from_status: Mapped[str | None] = mapped_column(String(16))
    to_status: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    """Positive when the reward is created, negative when something is taken back, else zero."""
    reason: Mapped[str | None] = mapped_column(String(255))
    actor: Mapped[str] = mapped_column(String(16))
    """As in the audit log: `user`, `server`, `operator` or `system`."""
    actor_id: Mapped[uuid.UUID | None]


class Coupon(Base):
    """A coupon of a rule's pool."""

    __tablename__ = "coupons"
    __table_args__ = (
        Index("uq_coupons_rule_id_code", "rule_id", "code", unique=True),
        Index("uq_coupons_reward_id", "reward_id", unique=True),
        partial_index("ix_coupons_free", "rule_id", "id", where="reward_id IS NULL"),
    )

    program_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("programs.id"))
    rule_id: Mapped[uuid.UUID]
    code: Mapped[str] = mapped_column(String(255))
    reward_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("rewards.id"))
    """The reward that has it. Null: it is free."""
