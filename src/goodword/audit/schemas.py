"""Audit events in the API of administrators."""

import json
import uuid

from pydantic import Field

from goodword.actor import Actor
from goodword.audit.actions import Action, Subject
from goodword.audit.models import AuditEvent
from goodword.web.schemas import Instant, Output


class AuditRead(Output):
    id: uuid.UUID
    at: Instant
    action: Action = Field(examples=[Action.CODE_ISSUED])
    actor: Actor = Field(
        description="`user`, `operator` (a command), `system` (a job) or `anonymous`.",
        examples=[Actor.USER],
    )
    actor_id: uuid.UUID | None
    person_id: uuid.UUID | None = Field(description="The user whom the event concerns.")
    subject: Subject = Field(description="The kind of object.", examples=[Subject.CODE])
    subject_id: uuid.UUID | None
    client: str | None = Field(description="The OAuth client that acted for the user.", examples=["goodword"])
    request_id: str | None = Field(examples=["019aa8c2-7a51-7000-8000-000000000000"])
    address: str | None = Field(description="Null after 90 days.", examples=["192.0.2.7"])
    details: dict[str, str | int | bool] = Field(examples=[{"kind": "generated", "active": True}])
    sequence: int | None = Field(
        description="The position in the sealed chain. Null until the event is sealed, a few seconds later.",
        examples=[4711],
    )

    @classmethod
    def of(cls, event: AuditEvent) -> "AuditRead":
        return cls(
            id=event.id,
            at=event.created_at,
            action=Action(event.action),
            actor=Actor(event.actor),
            actor_id=event.actor_id,
            person_id=event.person_id,
            subject=Subject(event.subject),
            subject_id=event.subject_id,
            client=event.client,
            request_id=event.request_id,
            address=event.address,
            details=json.loads(event.details),
            sequence=event.sequence,
        )


class AuditList(Output):
    items: list[AuditRead]
    next_cursor: str | None
