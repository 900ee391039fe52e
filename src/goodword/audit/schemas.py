"""Events as administrators see them."""

import json
import uuid

from pydantic import Field

from goodword.actor import Actor
from goodword.audit.actions import Action, Subject
from goodword.audit.models import AuditEvent
from goodword.web.schemas import Instant, Output


class AuditRead(Output):
    """One event."""

    id: uuid.UUID
    at: Instant
    action: Action = Field(examples=[Action.CODE_ISSUED])
    actor: Actor = Field(
        description="A `user`, the `operator` by command, the `system` by a job, or `anonymous`.",
        examples=[Actor.USER],
    )
    actor_id: uuid.UUID | None
    person_id: uuid.UUID | None = Field(description="Whom it concerns.")
    subject: Subject = Field(description="What it was done to.", examples=[Subject.CODE])
    subject_id: uuid.UUID | None
    client: str | None = Field(description="The app that acted for them.", examples=["goodword"])
    request_id: str | None = Field(examples=["019aa8c2-7a51-7000-8000-000000000000"])
    address: str | None = Field(description="Null after 90 days.", examples=["192.0.2.7"])
    details: dict[str, str | int | bool] = Field(examples=[{"kind": "generated", "active": True}])
    sequence: int | None = Field(
        description="Its number in the sealed chain; null for a few seconds.", examples=[4711]
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
