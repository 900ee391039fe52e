"""API of events, for the server of a product."""

import uuid
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from goodword.api_keys.auth import EventsReader, EventsWriter
from goodword.errors import AppError
from goodword.events.schemas import EVENT, EventCreate, EventType
from goodword.participants import access
from goodword.participants.access import Scope
from goodword.programs.fields import Slug
from goodword.programs.service import ProgramNotFound
from goodword.rewards import listing, recording
from goodword.rewards.schemas import DryRun, DryRunReward, EventList, EventRead
from goodword.services import Services, services_of
from goodword.users.schemas import ExternalId
from goodword.web.batch_items import item_error, read_item
from goodword.web.batches import ItemError, items_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.schemas import Input, Output, Text, example

router = APIRouter(prefix="/api/v1/events", tags=["Events"], route_class=JsonRoute)

ERRORS = (
    access.ParticipantNotFound,
    ProgramNotFound,
    recording.EventIdReused,
    recording.EventInFuture,
    recording.EventTooOld,
)


class EventBatch(Input):
    model_config = example({"items": [EVENT]})

    items: items_of(EventCreate)  # type: ignore[valid-type]


class EventResult(Output):
    """The result of one item, in the order of the request. It has either an `event` or an `error`."""

    id: str | None = Field(description="Null if it was not a text.", examples=["order-1001"])
    status: int = Field(description="As of a single call: 201, 200 or that of the error.", examples=[201])
    event: EventRead | None
    error: ItemError | None = Field(examples=[None])


class EventBatchResult(Output):
    items: list[EventResult]


class _Kept(BaseModel):
    """What is kept of a batch for a repeated request: the statuses, and the errors."""

    items: list[tuple[int, ItemError | None]]


@router.post(
    "",
    summary="Report an event",
    status_code=201,
    response_model=EventRead,
    responses={
        **problems(*ERRORS, KeyReused, KeyInUse),
        200: {"model": EventRead, "description": "The event was recorded before"},
    },
)
async def create_event(
    body: EventCreate,
    request: Request,
    server: EventsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Report what a participant did, once. The answer has the rewards that it made, and why rules made none.

    The same event again answers 200 and changes nothing. A refund is an event with `refunds`: it takes rewards back, in
    part if it is in part, and it may come before its purchase.
    """
    services = services_of(request)

    async def prepare() -> Scope:
        return await access.scope_of(services, server.program_id, body.program)

    async def effect(scope: Scope) -> Answer:
        recorded = await recording.record(session, services, body, scope, now=clock())
        content = await listing.read_recorded(session, recorded)
        user_id = recorded.event.participant_id
        return Answer(content, status=201 if recorded.is_new else 200, user_id=user_id)

    return await once.run(session, body, caller=server.caller, prepare=prepare, effect=effect)


@router.post(
    "/batch",
    summary="Report up to 100 events",
    response_model=EventBatchResult,
    responses=problems(KeyReused, KeyInUse),
)
async def create_events(
    body: EventBatch,
    request: Request,
    server: EventsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Report up to 100 events, each as with a single call. The answer has a result for each item, in their order.

    An item that is refused harms no other. Items are handled in their order.
    """
    services, request_id = services_of(request), request.state.request_id

    async def handle(place: int, given: Any) -> tuple[int, EventRead | None, ItemError | None]:
        try:
            item = read_item(EventCreate, place, given)
            scope = await access.scope_of(services, server.program_id, item.program)
            async with session.begin_nested():
                recorded = await recording.record(session, services, item, scope, now=clock())
                return 201 if recorded.is_new else 200, await listing.read_recorded(session, recorded), None
        except AppError as error:
            return error.status, None, item_error(error, place, request_id)

    async def effect(_: None) -> Answer:
        found = [await handle(place, given) for place, given in enumerate(body.items)]
        results = [
            EventResult(id=_id_of(given), status=status, event=event, error=error)
            for given, (status, event, error) in zip(body.items, found, strict=True)
        ]
        kept = _Kept(items=[(status, error) for status, _, error in found])
        return Answer(EventBatchResult(items=results), status=200, kept=kept)

    restore = partial(_restore, services, server.program_id, body)
    return await once.run(session, body, caller=server.caller, effect=effect, restore=restore)


async def _restore(
    services: Services, limit: uuid.UUID | None, body: EventBatch, kept: str
) -> EventBatchResult:
    """Return the answer to a batch that was handled before. The events are read again: none is stored in it."""
    results = []
    async with services.database.readers() as reader:
        for (status, error), given in zip(_Kept.model_validate_json(kept).items, body.items, strict=True):
            event = None
            if error is None:
                item = EventCreate.model_validate(given)
                scope = await access.scope_of(services, limit, item.program)
                rows = await listing.list_events(
                    reader, listing.EventFilters(program_id=scope.program.id, source_id=item.id), limit=1
                )
                event = (await listing.read_events(reader, rows))[0]
            results.append(EventResult(id=_id_of(given), status=status, event=event, error=error))
    return EventBatchResult(items=results)


def _id_of(given: Any) -> str | None:
    found = given.get("id") if isinstance(given, dict) else None
    return found if isinstance(found, str) and len(found) <= 255 else None


@router.post("/dry-run", summary="Try an event", responses=problems(*ERRORS))
async def dry_run_event(
    body: EventCreate, request: Request, server: EventsReader, session: Session, clock: Clock
) -> DryRun:
    """Say what an event would earn now, and why rules would make no reward. Nothing is written."""
    services = services_of(request)
    scope = await access.scope_of(services, server.program_id, body.program)
    rewards, rules, outcome = await recording.examine(session, services, body, scope, now=clock())
    shown = [
        DryRunReward.model_validate(values | {"rule_version": rule.version})
        for values, rule in zip(rewards, rules, strict=True)
    ]
    return DryRun(rewards=shown, not_rewarded=outcome.not_rewarded, warnings=outcome.warnings)


@router.get(
    "",
    summary="List events",
    responses=problems(access.ParticipantNotFound, ProgramNotFound, CursorInvalid),
)
async def list_events(
    request: Request,
    server: EventsReader,
    reader: Reader,
    id: Annotated[  # noqa: A002
        Text | None, Query(max_length=255, description="Only the event with this id of its source.")
    ] = None,
    external_id: Annotated[ExternalId | None, Query(description="Only those of this participant.")] = None,
    type: Annotated[EventType | None, Query(description="Only events of this type.")] = None,  # noqa: A002
    program: Annotated[Slug | None, Query(description="Only those of this program.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EventList:
    """Return events with their rewards, latest received first. Those of sign-ups and of confirmed referrals are among them."""
    services, program_id = services_of(request), server.program_id
    if program is not None:
        program_id = (await access.scope_of(services, server.program_id, program)).program.id
    user = None if external_id is None else await access.find(reader, external_id, server.program_id)
    filters = listing.EventFilters(
        program_id=program_id, user_id=user.id if user else None, type=type, source_id=id
    )
    name = f"events {filters}"
    found = await listing.list_events(
        reader, filters, after=services.cursors.read(cursor, of=name), limit=limit
    )
    rows, following = services.cursors.cut(found, limit, of=name)
    return EventList(items=await listing.read_events(reader, rows), next_cursor=following)
