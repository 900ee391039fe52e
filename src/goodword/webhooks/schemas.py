"""Schemas of webhooks in the API."""

import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from goodword.programs.fields import Slug
from goodword.web.schemas import OMITTED, Input, Instant, Output, Text, example, without_default
from goodword.webhooks.kinds import WebhookKind
from goodword.webhooks.models import DeliveryStatus, DisabledReason, EndpointStatus

URL = "https://acme.example/webhooks/goodword"


def _unique(kinds: list[WebhookKind]) -> list[WebhookKind]:
    return sorted(set(kinds), key=list(WebhookKind).index)


Url = Annotated[
    Text, Field(max_length=2000, description="A public https URL that answers POST with 2xx.", examples=[URL])
]
Kinds = Annotated[
    list[Annotated[WebhookKind, Field(strict=False)]],
    Field(min_length=1, max_length=50, description="The kinds of events that it gets."),
    AfterValidator(_unique),
]
Description = Annotated[
    Annotated[Text, Field(max_length=255)] | None,
    Field(description="For administrators.", examples=["The backend of Acme"]),
]


class WebhookEndpointCreate(Input):
    """A new endpoint."""

    model_config = example({"url": URL, "kinds": ["referral.confirmed", "reward.approved"]})

    url: Url
    kinds: Kinds
    description: Description = None
    program: Slug | None = Field(
        None,
        description="The slug of the only program whose events it gets. By default that of the API key, else all.",
    )


def _omitted() -> Any:
    return Field(OMITTED, json_schema_extra=without_default)


class WebhookEndpointUpdate(Input):
    """An omitted field stays as it is."""

    model_config = example({"status": "enabled"})

    url: Url = _omitted()
    kinds: Kinds = _omitted()
    description: Description = _omitted()
    status: Annotated[EndpointStatus, Field(strict=False)] = _omitted()


class WebhookEndpointRead(Output):
    """An endpoint, without its secret."""

    id: uuid.UUID
    url: str = Field(examples=[URL])
    kinds: list[WebhookKind] = Field(examples=[[WebhookKind.REFERRAL_CONFIRMED]])
    description: str | None = Field(examples=[None])
    program: str | None = Field(examples=[None], description="Null: it gets the events of all programs.")
    status: EndpointStatus = Field(examples=[EndpointStatus.ENABLED])
    disabled_reason: DisabledReason | None = Field(examples=[None])
    created_at: Instant


class WebhookEndpointWithSecret(WebhookEndpointRead):
    """An endpoint with its secret, which no other answer shows."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="])


class WebhookEndpointList(Output):
    items: list[WebhookEndpointRead]
    next_cursor: str | None


class WebhookDeliveryRead(Output):
    """An event for an endpoint. `response_status`, `error` and `duration_ms` are those of the last attempt."""

    id: uuid.UUID
    event_id: uuid.UUID = Field(description="The `webhook-id` of its requests.")
    kind: str = Field(examples=[WebhookKind.REFERRAL_CONFIRMED.value])
    attempt: int = Field(examples=[1], description="Attempts since it was written or replayed.")
    status: DeliveryStatus = Field(examples=[DeliveryStatus.SUCCEEDED])
    response_status: int | None = Field(examples=[200])
    error: str | None = Field(examples=[None], description="Why there was no answer, such as `timeout`.")
    duration_ms: int | None = Field(examples=[42])
    created_at: Instant
    next_attempt_at: Instant | None = Field(examples=[None])


class WebhookDeliveryList(Output):
    items: list[WebhookDeliveryRead]
    next_cursor: str | None


class WebhookAttemptRead(Output):
    """A request."""

    response_status: int | None = Field(examples=[200])
    error: str | None = Field(examples=[None])
    duration_ms: int = Field(examples=[42])
    created_at: Instant


class WebhookDeliveryDetails(WebhookDeliveryRead):
    """A delivery with its body and its attempts, the newest first."""

    body: str = Field(description="As it would be sent now.", examples=['{"type":"referral.confirmed"}'])
    attempts: list[WebhookAttemptRead]


class WebhookReplay(Input):
    """The events to send again: those from `since` until before `until`."""

    model_config = example({"since": "2030-01-31T12:00:00Z"})

    since: Instant
    until: Instant | None = Field(None, description="By default now.")
    only_failed: bool = Field(True, description="Whether to leave out what has succeeded.")


class WebhookReplayed(Output):
    """How much is sent again."""

    deliveries: int = Field(examples=[12])
    continue_since: Instant | None = Field(
        description="The `since` of the next call, if there are more than 10,000."
    )
