"""The records of reward rules, events, rewards and coupons in an export or import."""

import json
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from goodword.actor import Actor
from goodword.events.schemas import (
    MAX_METADATA,
    EventType,
    MetadataKey,
    MetadataValue,
    Minor,
    Outcome,
)
from goodword.programs.fields import Currency, Slug
from goodword.rewards.models import Approval, Beneficiary, CapPeriod, RewardKind, RewardStatus
from goodword.rewards.schemas import RuleWrite
from goodword.transfer.fields import ExternalId, RecordError, RecordModel, Reference, Time
from goodword.web.schemas import Text

FINAL = {RewardStatus.CANCELED, RewardStatus.REVERSED}


def _parsed(value: Any) -> Any:
    """Return the value of a cell of CSV that has JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        raise RecordError("json_invalid") from None


Parsed = BeforeValidator(_parsed)
Reason = Annotated[Text, Field(max_length=255)]


class RewardRuleRecord(RecordModel):
    """A version of a rule. The terms are those of the API."""

    type: Literal["reward_rule"] = "reward_rule"
    rule_id: uuid.UUID
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    program: Slug | None = None
    trigger: str
    beneficiary: Beneficiary
    kind: RewardKind
    description: str | None = None
    amount_minor: int | None = None
    basis_points: int | None = None
    tiers: Annotated[list[dict[str, int]] | None, Parsed] = None
    min_amount_minor: int | None = None
    max_events: int | None = None
    within: int | None = None
    cap_count: int | None = None
    cap_per: CapPeriod | None = None
    starts_at: Time | None = None
    ends_at: Time | None = None
    hold: int = 0
    approval: Approval = Approval.AUTO
    retired_at: Time | None = None

    def terms(self) -> RuleWrite:
        """Return the terms of the rule. Raises `ValidationError`."""
        names = RuleWrite.model_fields.keys() - {"cap", "beneficiary", "kind", "approval"}
        values = {name: getattr(self, name) for name in names}
        values |= {name: getattr(self, name).value for name in ("beneficiary", "kind", "approval")}
        if self.cap_count is not None or self.cap_per is not None:
            values["cap"] = {"count": self.cap_count, "per": self.cap_per and self.cap_per.value}
        return RuleWrite.model_validate(values)

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            self.terms()
        except ValidationError:
            raise RecordError("rule_invalid") from None
        return self


class EventRecord(RecordModel):
    """An event. `created_at` is when it was received."""

    type: Literal["event"] = "event"
    program: Slug | None = None
    participant: Reference
    event_type: EventType
    source_id: ExternalId
    occurred_at: Time
    amount_minor: Minor | None = None
    currency: Currency | None = None
    refunds: ExternalId | None = None
    metadata: Annotated[
        dict[MetadataKey, MetadataValue], Parsed, Field(default_factory=dict, max_length=MAX_METADATA)
    ]
    outcome: Annotated[Outcome | None, Parsed] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.amount_minor is None) != (self.currency is None):
            raise RecordError("currency_missing")
        return self


class EntryRecord(BaseModel):
    """A change of a reward."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    from_status: RewardStatus | None = None
    to_status: RewardStatus
    amount_minor: int
    reason: Reason | None = None
    actor: Actor
    actor_id: uuid.UUID | None = None
    created_at: Time


class RewardRecord(RecordModel):
    """A reward with its entries, whose amounts sum to what is left of it."""

    type: Literal["reward"] = "reward"
    rule_version_id: uuid.UUID
    event_id: uuid.UUID
    referral_id: uuid.UUID
    referrer: Reference
    user: Reference
    beneficiary: Beneficiary
    amount_minor: Annotated[Minor, Field(ge=1)]
    remaining_minor: Minor
    currency: Currency | None = None
    status: RewardStatus
    available_at: Time | None = None
    is_automatic: bool = False
    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    external_reference: Reason | None = None
    entries: Annotated[list[EntryRecord], Parsed, Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not _is_history(self.entries, self.amount_minor, self.remaining_minor, self.status):
            raise RecordError("entries_invalid")
        return self


def _is_history(entries: Sequence[EntryRecord], amount: int, remaining: int, status: RewardStatus) -> bool:
    """Return whether entries lead from nothing to this state of a reward."""
    former, left = None, 0
    for entry in entries:
        left += entry.amount_minor
        if entry.from_status != former or not 0 <= left <= amount:
            return False
        former = entry.to_status
    is_complete = entries[0].amount_minor == amount and (left, former) == (remaining, status)
    return is_complete and (status in FINAL) == (left == 0)


class CouponRecord(RecordModel):
    """A coupon of the pool of a rule, and the reward that has it."""

    type: Literal["coupon"] = "coupon"
    rule_id: uuid.UUID
    code: Annotated[Text, Field(min_length=1, max_length=255)]
    reward_id: uuid.UUID | None = None
