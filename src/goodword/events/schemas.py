"""Schemas of events in the API."""

import uuid
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from goodword.events.models import OWN_PREFIX, OWN_TYPES
from goodword.programs.fields import Currency, Slug
from goodword.users.schemas import ExternalId, check_external_id
from goodword.web.schemas import Input, Instant, Output, Text

MAX_MINOR = 10**15
"""The largest amount. It is an integer in every JSON parser (RFC 8259 §6)."""
MAX_METADATA = 20
TYPE = r"^[a-z][a-z0-9_]{0,63}$"
EVENT: dict[str, Any] = {
    "id": "order-1001",
    "type": "purchase",
    "participant": {"external_id": "user-42"},
    "occurred_at": "2026-11-26T12:00:00Z",
    "amount": {"minor": 4990, "currency": "USD"},
    "metadata": {"plan": "yearly"},
}


def _source_id(text: str) -> str:
    text = check_external_id(text)
    if text.startswith(OWN_PREFIX):
        raise PydanticCustomError("event_id_reserved", "Ids that begin with `goodword:` are reserved.")
    return text


def _type(text: str) -> str:
    if text in OWN_TYPES:
        raise PydanticCustomError("event_type_reserved", "Goodword makes events of this type itself.")
    return text


SourceId = Annotated[
    ExternalId,
    AfterValidator(_source_id),
    Field(description="The id of the event in your system. Sent again, it is the same event."),
]
EventType = Annotated[str, StringConstraints(pattern=TYPE)]
ReportedType = Annotated[EventType, AfterValidator(_type)]
Minor = Annotated[int, Field(ge=0, le=MAX_MINOR)]


class ParticipantRef(Input):
    """A person: by your id, or by the id here. Exactly one is required."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["external_id"]}, {"required": ["id"]}]}
    )

    external_id: ExternalId | None = None
    id: Annotated[uuid.UUID, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.external_id is None) == (self.id is None):
            raise PydanticCustomError("participant_ambiguous", "Send either `external_id` or `id`.")
        return self


class Money(Input):
    """An amount of money."""

    minor: Minor = Field(description="In minor units, such as cents.", examples=[4990])
    currency: Currency = Field(description="A code of ISO 4217.", examples=["USD"])


MetadataKey = Annotated[Text, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[Text, StringConstraints(max_length=500)]


class EventCreate(Input):
    """An event of a participant."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                EVENT,
                {
                    "id": "refund-77",
                    "type": "refund",
                    "participant": {"external_id": "user-42"},
                    "occurred_at": "2026-11-27T12:00:00Z",
                    "amount": {"minor": 1000, "currency": "USD"},
                    "refunds": "order-1001",
                },
            ]
        }
    )

    id: SourceId
    type: ReportedType = Field(examples=["purchase"])
    participant: ParticipantRef
    occurred_at: Instant = Field(description="When it happened: at most 400 days ago, and not in the future.")
    amount: Money | None = Field(None, description="What was paid or, with `refunds`, paid back.")
    refunds: SourceId | None = Field(
        None, description="The id of the event that this one refunds. Without an `amount`, it refunds all."
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(
        {}, max_length=MAX_METADATA, description="Up to 20 texts of your own, without personal data."
    )
    program: Slug | None = Field(
        None, description="The slug of the program. By default that of the API key, else the default program."
    )

    @model_validator(mode="after")
    def _refund_is_positive(self) -> Self:
        if self.refunds is not None:
            if self.amount is not None and self.amount.minor == 0:
                raise PydanticCustomError("refund_not_positive", "The amount of a refund must be positive.")
            if self.refunds == self.id:
                raise PydanticCustomError("refund_of_itself", "An event cannot refund itself.")
        return self


class NotRewardedReason(StrEnum):
    """Why a rule made no reward. The first that holds, in this order, is given."""

    PROGRAM_NOT_ACTIVE = "program_not_active"
    NOT_REFERRED = "not_referred"
    REFERRAL_REJECTED = "referral_rejected"
    BENEFICIARY_NOT_ACTIVE = "beneficiary_not_active"
    REGISTERED_BEFORE = "registered_before"
    OUTSIDE_PERIOD = "outside_period"
    BEFORE_SIGN_UP = "before_sign_up"
    TOO_LATE = "too_late"
    AMOUNT_MISSING = "amount_missing"
    CURRENCY_MISMATCH = "currency_mismatch"
    BELOW_MINIMUM = "below_minimum"
    MAX_EVENTS_REACHED = "max_events_reached"
    REFUNDED = "refunded"
    NO_TIER = "no_tier"
    AMOUNT_ZERO = "amount_zero"
    CAP_REACHED = "cap_reached"
    COUPONS_USED_UP = "coupons_used_up"


class EventWarning(StrEnum):
    """Why a refund takes nothing back, or less than its amount."""

    REFUND_OF_OTHER_PARTICIPANT = "refund_of_other_participant"
    REFUND_CURRENCY_MISMATCH = "refund_currency_mismatch"
    REFUND_EXCEEDS_AMOUNT = "refund_exceeds_amount"


class NotRewarded(Output):
    """A rule that the event triggers, and why it made no reward."""

    rule_id: uuid.UUID
    reason: NotRewardedReason = Field(examples=[NotRewardedReason.BELOW_MINIMUM])


class Outcome(Output):
    """What is stored of the handling of an event, besides its rewards."""

    not_rewarded: list[NotRewarded] = Field(default_factory=list)
    warnings: list[EventWarning] = Field(default_factory=list)


class EventParticipant(Output):
    id: uuid.UUID
    external_id: str | None = Field(examples=["user-42"])


class MoneyRead(Output):
    minor: int = Field(examples=[4990])
    currency: str = Field(examples=["USD"])
