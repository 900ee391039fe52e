"""Audit events in the API of administrators."""

import json
import uuid
from typing import Annotated

from pydantic import BeforeValidator, Field
from typing_extensions import TypeAliasType

from goodword.actor import Actor
from goodword.audit.actions import Action, Subject
from goodword.web.schemas import Instant, Output

AuditDetail = TypeAliasType("AuditDetail", str | int | bool)


class AuditRead(Output):
    id: uuid.UUID
    at: Instant = Field(validation_alias="created_at")
    action: Action = Field(examples=[Action.CODE_ISSUED])
    actor: Actor = Field(
        description="`user`, `server` (an API key, or an app itself), `operator` (a command), `system` (a job) or `anonymous`.",
        examples=[Actor.USER],
    )
    actor_id: uuid.UUID | None
    person_id: uuid.UUID | None = Field(description="The user whom the event concerns.")
    subject: Subject = Field(description="The kind of object.", examples=[Subject.CODE])
    subject_id: uuid.UUID | None
    client: str | None = Field(
        description="The OAuth client that acted, or the name of the API key.", examples=["goodword"]
    )
    request_id: str | None = Field(examples=["019aa8c2-7a51-7000-8000-000000000000"])
    address: str | None = Field(description="Null after 90 days.", examples=["192.0.2.7"])
    details: Annotated[dict[str, AuditDetail], BeforeValidator(json.loads)] = Field(
        examples=[{"kind": "generated", "active": True}]
    )
    sequence: int | None = Field(
        description="The position in the sealed chain. Null until the event is sealed, a few seconds later.",
        examples=[4711],
    )


class AuditList(Output):
    items: list[AuditRead]
    next_cursor: str | None
