"""Webhooks in the OpenAPI document: the requests that the service sends to the servers of a product."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.routing import BaseRoute

TAG = "Webhooks"
HEADERS = {
    "webhook-id": (
        "Identifies the event. A repeated delivery has the same one.",
        "msg_019aa8c27a517c1e9d3f6a0b",
    ),
    "webhook-timestamp": (
        "When it was sent, in seconds since 1970. Refuse one of more than 5 minutes ago.",
        "1764000000",
    ),
    "webhook-signature": (
        "Signatures after Standard Webhooks, with blanks between them. Verify one.",
        "v1,K5oZfzN95Z9UVu1E…",
    ),
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """A kind of event, as `user.created`, and the schema of its body."""

    kind: str
    summary: str
    description: str
    body: type[BaseModel]


def routes(webhooks: Sequence[Webhook]) -> Sequence[BaseRoute]:
    """Return routes that describe the webhooks. They are for the document alone."""
    router = APIRouter()
    for webhook in webhooks:

        def receive(body: Any) -> None:
            """Describe the request. It is never called."""

        receive.__annotations__ = {"body": webhook.body, "return": None}
        router.add_api_route(
            webhook.kind,
            receive,
            methods=["POST"],
            operation_id=webhook.kind.replace(".", "_"),
            tags=[TAG],
            summary=webhook.summary,
            description=webhook.description,
            status_code=204,
            responses={410: {"description": "The endpoint is gone: it is disabled."}},
            response_description="Received. Each status from 200 to 299 says so; others are tried again.",
            openapi_extra={"parameters": [_header(name) for name in HEADERS]},
        )
    return router.routes


def complete(document: dict[str, Any]) -> None:
    """Remove the error of an operation from the webhooks, and state that they need no token."""
    for path in document.get("webhooks", {}).values():
        path["post"]["responses"].pop("422", None)
        path["post"]["security"] = []


def _header(name: str) -> dict[str, Any]:
    description, example = HEADERS[name]
    schema = {"type": "string", "examples": [example]}
    return {"name": name, "in": "header", "required": True, "description": description, "schema": schema}
