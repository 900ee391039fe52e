"""Schemas of webhooks in the API."""

import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from goodword.programs.fields import Slug
from goodword.web.schemas import OMITTED, Input, Instant, Output, Text, example, without_default
from goodword.webhooks.kinds import WebhookKind
from goodword.webhooks.models import DisabledReason, EndpointStatus

URL = "https://acme.example/webhooks/goodword"


def _unique(kinds: list[WebhookKind]) -> list[WebhookKind]:
    return sorted(set(kinds), key=list(WebhookKind).index)


Url = Annotated[
    str, Field(max_length=2000, description="A public https URL that answers POST with 2xx.", examples=[URL])
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
