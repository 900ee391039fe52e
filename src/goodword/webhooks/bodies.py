"""The bodies of webhooks, as the OpenAPI document describes them. `reactions` writes the data."""

import uuid
from collections.abc import Sequence

from pydantic import Field

from goodword.codes.models import CodeStatus
from goodword.referrals.models import ReferralStatus
from goodword.rewards.models import Beneficiary, RewardKind, RewardStatus
from goodword.web.openapi_webhooks import Webhook
from goodword.web.schemas import Instant, Output
from goodword.webhooks.kinds import WebhookKind


class WebhookPerson(Output):
    """A person, with the external id that the person has now."""

    id: uuid.UUID
    external_id: str | None = Field(
        description="Null if the person is no participant, or is erased.", examples=["user-42"]
    )


class UserData(Output):
    user: WebhookPerson


class CodeData(Output):
    id: uuid.UUID
    status: CodeStatus = Field(examples=[CodeStatus.ACTIVE])
    owner: WebhookPerson
    program: str = Field(examples=["default"])


class ReferralData(Output):
    id: uuid.UUID
    status: ReferralStatus = Field(examples=[ReferralStatus.CONFIRMED])
    previous_status: ReferralStatus | None = Field(
        description="Null if the referral is new.", examples=[ReferralStatus.PENDING]
    )
    referrer: WebhookPerson
    referee: WebhookPerson
    program: str = Field(examples=["default"])


class RewardData(Output):
    id: uuid.UUID
    status: RewardStatus = Field(examples=[RewardStatus.APPROVED])
    kind: RewardKind = Field(examples=[RewardKind.CREDIT])
    beneficiary: Beneficiary = Field(examples=[Beneficiary.REFERRER])
    amount_minor: int = Field(examples=[499])
    remaining_minor: int = Field(examples=[499])
    currency: str | None = Field(description="Null for points.", examples=["USD"])
    participant: WebhookPerson
    referral_id: uuid.UUID
    event_id: str = Field(description="The id that its source gave the event.", examples=["order-1001"])
    program: str = Field(examples=["default"])


class _Event(Output):
    timestamp: Instant = Field(description="When it happened.")
    sequence: int = Field(description="Counts the events of the object of `data`.", examples=[2])


class UserEvent(_Event):
    type: WebhookKind = Field(examples=[WebhookKind.USER_CREATED])
    data: UserData


class CodeEvent(_Event):
    type: WebhookKind = Field(examples=[WebhookKind.CODE_ACTIVATED])
    data: CodeData


class ReferralEvent(_Event):
    type: WebhookKind = Field(examples=[WebhookKind.REFERRAL_CONFIRMED])
    data: ReferralData


class RewardEvent(_Event):
    type: WebhookKind = Field(examples=[WebhookKind.REWARD_APPROVED])
    data: RewardData


_BODIES: dict[str, type[_Event]] = {
    "user": UserEvent,
    "code": CodeEvent,
    "referral": ReferralEvent,
    "reward": RewardEvent,
}


def _describe(kind: WebhookKind) -> Webhook:
    subject, _, change = kind.partition(".")
    verb = {"pending": "is", "expired": "has"}.get(change, "was")
    summary = f"A {subject} {verb} {change}"
    return Webhook(kind, summary, "Sent to the endpoints that get this kind of event.", _BODIES[subject])


WEBHOOKS: Sequence[Webhook] = [_describe(kind) for kind in WebhookKind]
