"""Schemas of the review in the API."""

import uuid
from enum import StrEnum

from pydantic import Field

from goodword.referrals.models import AttributedBy, ReferralStatus
from goodword.risk import words
from goodword.risk.models import Level, RiskSignal, SignalKind
from goodword.risk.review import Reviewed
from goodword.users.models import User
from goodword.web.schemas import Input, Instant, Name, Output, example


class ReviewStatus(StrEnum):
    """The referrals that a review lists."""

    HELD = "held"


class ReferralReject(Input):
    model_config = example({"reason": "The same person twice."})

    reason: Name = Field(
        description="The reason, for administrators and the servers of your product. The users concerned do not see it."
    )


class RiskSignalRead(Output):
    """A sign that a referral may not be genuine. Only a high level holds it."""

    kind: SignalKind = Field(examples=[SignalKind.VELOCITY])
    level: Level = Field(examples=[Level.HIGH])
    text: str = Field(
        description="In plain words.", examples=["201 people signed up with this code within an hour."]
    )
    created_at: Instant

    @classmethod
    def of(cls, signal: RiskSignal) -> "RiskSignalRead":
        return RiskSignalRead(
            kind=SignalKind(signal.kind),
            level=Level(signal.level),
            text=words.text_of(signal.kind, signal.number),
            created_at=signal.created_at,
        )


class ReviewedPerson(Output):
    id: uuid.UUID
    external_id: str | None = Field(examples=["user-42"])
    display_name: str = Field(examples=["Bob B."])

    @classmethod
    def of(cls, user: User) -> "ReviewedPerson":
        return ReviewedPerson(id=user.id, external_id=user.external_id, display_name=user.display_name)


class ReviewedReferral(Output):
    """A referral with its risk signals."""

    id: uuid.UUID
    program: str = Field(description="Slug of the program.", examples=["default"])
    status: ReferralStatus = Field(examples=[ReferralStatus.HELD])
    reason: str | None = Field(description="Why it was rejected.", examples=[None])
    referrer: ReviewedPerson
    referee: ReviewedPerson
    code: str | None = Field(description="Null once its owner is erased.", examples=["7KQ2M9XWPA"])
    attributed_by: AttributedBy = Field(examples=[AttributedBy.CODE])
    signals: list[RiskSignalRead]
    created_at: Instant
    confirmed_at: Instant | None

    @classmethod
    def of(cls, found: Reviewed) -> "ReviewedReferral":
        referral = found.referral
        return ReviewedReferral(
            id=referral.id,
            program=found.program,
            status=ReferralStatus(referral.status),
            reason=referral.reason,
            referrer=ReviewedPerson.of(found.referrer),
            referee=ReviewedPerson.of(found.referee),
            code=found.code,
            attributed_by=AttributedBy(referral.attributed_by),
            signals=[RiskSignalRead.of(signal) for signal in found.signals],
            created_at=referral.created_at,
            confirmed_at=referral.confirmed_at,
        )


class ReviewList(Output):
    items: list[ReviewedReferral]
    next_cursor: str | None
