"""Schemas of reward rules, rewards and balances in the API."""

import uuid
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from goodword.actor import Actor
from goodword.events.schemas import EventParticipant, EventType, EventWarning, Minor, MoneyRead, NotRewarded
from goodword.programs.fields import DAY
from goodword.rewards import calculation
from goodword.rewards.models import Approval, Beneficiary, CapPeriod, RewardKind, RewardRule, RewardStatus
from goodword.web.schemas import Input, Instant, Output, Text

MAX_TIERS = 20
MAX_COUNT = 1_000_000
MAX_PERIOD = 3660 * DAY
Positive = Annotated[Minor, Field(ge=1)]
BasisPoints = Annotated[int, Field(ge=1, le=calculation.WHOLE)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Seconds = Annotated[int, Field(ge=0, le=MAX_PERIOD)]
RULE: dict[str, Any] = {
    "trigger": "purchase",
    "beneficiary": "referrer",
    "kind": "credit",
    "basis_points": 1000,
    "min_amount_minor": 1000,
    "max_events": 1,
    "hold": 1_209_600,
}


class Tier(Input):
    """What an event earns from a number of confirmed referrals on. Exactly one amount is required."""

    from_: int = Field(alias="from", ge=0, le=MAX_COUNT, description="Confirmed referrals of the referrer.")
    amount_minor: Positive | None = None
    basis_points: BasisPoints | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.amount_minor is None) == (self.basis_points is None):
            raise PydanticCustomError("amount_ambiguous", "Send either `amount_minor` or `basis_points`.")
        return self


class Cap(Input):
    """The most rewards of the rule for the referrals of one referrer. Canceled and reversed ones do not count."""

    count: Count = Field(examples=[10])
    per: Literal["ever", "month"] = Field(
        description="A month of the program's time zone, by when the events happened."
    )


class RuleWrite(Input):
    """The terms of a reward rule. Exactly one of `amount_minor`, `basis_points` and `tiers` is required."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                RULE,
                {
                    "trigger": "referral_confirmed",
                    "beneficiary": "referrer",
                    "kind": "points",
                    "tiers": [{"from": 1, "amount_minor": 100}, {"from": 10, "amount_minor": 250}],
                    "cap": {"count": 10, "per": "month"},
                },
            ]
        }
    )

    trigger: EventType = Field(
        description="The type of event: one that you report, or `sign_up` or `referral_confirmed`."
    )
    beneficiary: Literal["referrer", "referee"]
    kind: Literal["credit", "points", "coupon", "custom"] = Field(
        description="`credit` is money in the currency of the program, and `coupon` takes one from the pool of the rule."
    )
    description: Annotated[Text, Field(min_length=1, max_length=200)] | None = Field(
        None, description="What people read about the reward.", examples=["10 % of the first order"]
    )
    amount_minor: Positive | None = Field(
        None, description="In minor units, such as cents, or in points. Of a coupon: what it is worth."
    )
    basis_points: BasisPoints | None = Field(
        None, description="Hundredths of a percent of the event's amount, rounded half to even."
    )
    tiers: Annotated[list[Tier], Field(min_length=1, max_length=MAX_TIERS)] | None = Field(
        None, description="Amounts by the number of confirmed referrals of the referrer, in ascending order."
    )
    min_amount_minor: Positive | None = Field(None, description="Smaller events earn nothing.")
    max_events: Count | None = Field(
        None,
        description="Only the first events of this type by a referee earn something, in order of receipt.",
    )
    within: Annotated[Seconds, Field(ge=1)] | None = Field(
        None, description="In seconds. Events later than this after the sign-up earn nothing."
    )
    cap: Cap | None = None
    starts_at: Instant | None = Field(None, description="Events that happened before earn nothing.")
    ends_at: Instant | None = Field(None, description="Events that happened from this time on earn nothing.")
    hold: Seconds = Field(
        0, description="In seconds. How long a reward is pending, in case of a refund.", examples=[1_209_600]
    )
    approval: Literal["auto", "manual"] = Field(
        Approval.AUTO.value, description="Whether a reward is approved by itself when the hold ends."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        amounts = (self.amount_minor, self.basis_points, self.tiers)
        if sum(amount is not None for amount in amounts) != 1:
            raise PydanticCustomError(
                "amount_ambiguous", "Send exactly one of `amount_minor`, `basis_points` and `tiers`."
            )
        starts = [tier.from_ for tier in self.tiers or ()]
        if sorted(set(starts)) != starts:
            raise PydanticCustomError("tiers_unordered", "Tiers must have ascending values of `from`.")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise PydanticCustomError("period_invalid", "The rule must end after it starts.")
        return self

    @classmethod
    def of(cls, rule: RewardRule) -> Self:
        """Return the terms of a version."""
        names = cls.model_fields.keys() - {"tiers", "cap", "within", "hold"}
        return cls.model_validate(
            {name: getattr(rule, name) for name in names}
            | {
                "tiers": list(calculation.tiers_of(rule)) or None,
                "cap": {"count": rule.cap_count, "per": rule.cap_per} if rule.cap_count else None,
                "within": rule.within_seconds,
                "hold": rule.hold_seconds,
            }
        )


class TierRead(Output):
    from_: int = Field(alias="from", examples=[1])
    amount_minor: int | None = Field(None, examples=[100])
    basis_points: int | None = Field(None, examples=[None])


class CapRead(Output):
    count: int = Field(examples=[10])
    per: CapPeriod = Field(examples=[CapPeriod.MONTH])


class RuleRead(Output):
    """The active version of a reward rule."""

    id: uuid.UUID = Field(description="The same for all versions.")
    version: int = Field(examples=[1])
    trigger: str = Field(examples=["purchase"])
    beneficiary: Beneficiary
    kind: RewardKind
    description: str | None = Field(examples=[None])
    amount_minor: int | None = Field(examples=[None])
    basis_points: int | None = Field(examples=[1000])
    tiers: list[TierRead] | None = Field(examples=[None])
    min_amount_minor: int | None = Field(examples=[1000])
    max_events: int | None = Field(examples=[1])
    within: int | None = Field(examples=[None])
    cap: CapRead | None = Field(examples=[None])
    starts_at: Instant | None = Field(examples=[None])
    ends_at: Instant | None = Field(examples=[None])
    hold: int = Field(examples=[1_209_600])
    approval: Approval
    created_at: Instant = Field(description="When this version was created.")


class RuleList(Output):
    items: list[RuleRead]
    next_cursor: str | None


class RewardRead(Output):
    """A reward."""

    id: uuid.UUID
    status: RewardStatus = Field(examples=[RewardStatus.PENDING])
    kind: RewardKind = Field(examples=[RewardKind.CREDIT])
    amount_minor: int = Field(
        description="In minor units of the currency, or in points. Refunds do not change it.", examples=[499]
    )
    remaining_minor: int = Field(
        description="What refunds and reversals have left of the amount.", examples=[499]
    )
    currency: str | None = Field(description="Null for points.", examples=["USD"])
    description: str | None = Field(description="That of the rule.", examples=["10 % of the first order"])
    beneficiary: Beneficiary = Field(examples=[Beneficiary.REFERRER])
    participant: EventParticipant = Field(description="Who gets it.")
    program: str = Field(examples=["default"])
    referral_id: uuid.UUID
    event_id: str = Field(description="The id that the source gave the event.", examples=["order-1001"])
    rule_id: uuid.UUID
    rule_version: int = Field(examples=[1])
    available_at: Instant | None = Field(
        description="When the hold ends. Null while the referral is pending or held."
    )
    external_reference: str | None = Field(examples=[None])
    coupon: str | None = Field(examples=[None])
    created_at: Instant


class RewardList(Output):
    items: list[RewardRead]
    next_cursor: str | None


class EntryRead(Output):
    """A change of a reward."""

    from_status: RewardStatus | None = Field(examples=[None])
    to_status: RewardStatus = Field(examples=[RewardStatus.PENDING])
    amount_minor: int = Field(description="Positive, zero or negative.", examples=[499])
    reason: str | None = Field(examples=[None])
    actor: Actor = Field(examples=[Actor.SERVER])
    created_at: Instant


class RewardDetail(RewardRead):
    """A reward with its history."""

    history: list[EntryRead] = Field(description="Oldest first.")


class Balance(Output):
    """What a person earned, of one kind and currency. What was taken back is left out."""

    kind: RewardKind = Field(examples=[RewardKind.CREDIT])
    currency: str | None = Field(description="Null for points.", examples=["USD"])
    pending_minor: int = Field(description="Not approved yet.", examples=[499])
    approved_minor: int = Field(description="Approved, and not paid yet.", examples=[1000])
    fulfilled_minor: int = Field(description="Paid.", examples=[0])


class BalanceList(Output):
    items: list[Balance]


class EventRead(Output):
    """An event, with what it earned and what it did not."""

    id: str = Field(description="The id that its source gave it.", examples=["order-1001"])
    type: str = Field(examples=["purchase"])
    participant: EventParticipant
    program: str = Field(examples=["default"])
    occurred_at: Instant
    received_at: Instant
    amount: MoneyRead | None
    refunds: str | None = Field(examples=[None])
    metadata: dict[str, str] = Field(examples=[{"plan": "yearly"}])
    rewards: list[RewardRead]
    not_rewarded: list[NotRewarded]
    warnings: list[EventWarning] = Field(examples=[[]])


class EventList(Output):
    items: list[EventRead]
    next_cursor: str | None


class DryRunReward(Output):
    """A reward that an event would make."""

    rule_id: uuid.UUID
    rule_version: int = Field(examples=[1])
    beneficiary: Beneficiary
    kind: RewardKind
    amount_minor: int = Field(examples=[499])
    currency: str | None = Field(examples=["USD"])
    status: RewardStatus = Field(description="`pending` or `approved`.", examples=[RewardStatus.PENDING])
    available_at: Instant | None


class DryRun(Output):
    """What an event would earn now. Nothing is written."""

    rewards: list[DryRunReward]
    not_rewarded: list[NotRewarded]
    warnings: list[EventWarning] = Field(examples=[[]])
