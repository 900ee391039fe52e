"""API of batches of participants."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from goodword.api_keys.auth import ParticipantsWriter, ServerCaller
from goodword.attribution import service as attribution
from goodword.errors import AppError
from goodword.participants import access, batch, service, state
from goodword.participants.batch import Item
from goodword.participants.paths import ParticipantRoute
from goodword.participants.schemas import (
    Batch,
    BatchItem,
    BatchResult,
    ItemResult,
    ParticipantRead,
    StoredBatch,
    StoredItem,
)
from goodword.services import Services, services_of
from goodword.users.schemas import MAX_EXTERNAL_ID
from goodword.web.batch_items import item_error, read_item
from goodword.web.batches import ItemError
from goodword.web.dependencies import Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.openapi import problems

router = APIRouter(prefix="/api/v1/participants", tags=["Participants"], route_class=ParticipantRoute)


@router.post(
    "/batch",
    summary="Create or change up to 100 participants",
    response_model=BatchResult,
    responses=problems(KeyReused, KeyInUse),
)
async def upsert_participants(
    body: Batch,
    request: Request,
    server: ParticipantsWriter,
    session: Session,
    once: IdempotentWriteDependency,
) -> Response:
    """Report up to 100 people, each as with PUT. The answer has a result for each item, in their order.

    An item that is refused harms no other. Several items with one external id are handled in their order.
    """
    services = services_of(request)
    request_id = request.state.request_id

    async def prepare() -> tuple[dict[int, Item], dict[int, AppError]]:
        items, refused = dict[int, Item](), dict[int, AppError]()
        for place, given in enumerate(body.items):
            try:
                items[place] = await _read_item(services, server, place, given)
            except AppError as error:
                refused[place] = error
        for item in items.values():
            if claim := service.claim_of(item.body):
                await attribution.prepare(services, claim)
        return items, refused

    async def effect(prepared: tuple[dict[int, Item], dict[int, AppError]]) -> Answer:
        items, refused = prepared
        results: dict[int, batch.Result] = {**refused, **await batch.upsert(session, services, items)}
        shown, kept = [], []
        for place, given in enumerate(body.items):
            result = results[place]
            if isinstance(result, AppError):
                error = item_error(result, place, request_id)
                shown.append(_result(given, result.status, error=error))
                kept.append(StoredItem(status=result.status, error=error))
            else:
                status = 201 if result.is_new else 200
                shown.append(_result(given, status, participant=result.participant))
                within, warnings = items[place].scope.within, result.participant.warnings
                kept.append(StoredItem(status=status, within=within, warnings=warnings))
        return Answer(BatchResult(items=shown), status=200, kept=StoredBatch(items=kept))

    restore = partial(_restore, services, body)
    return await once.run(
        session, body, caller=server.caller, prepare=prepare, effect=effect, restore=restore
    )


async def _read_item(services: Services, server: ServerCaller, place: int, given: Any) -> Item:
    """Return a valid item. Raises `ValidationFailed` and `ProgramNotFound`."""
    body = read_item(BatchItem, place, given)
    scope = await access.scope_of(services, server.program_id, body.program)
    return Item(body.external_id, body, scope)


def _result(
    given: Any, status: int, *, participant: ParticipantRead | None = None, error: ItemError | None = None
) -> ItemResult:
    external_id = given.get("external_id") if isinstance(given, dict) else None
    if not isinstance(external_id, str) or len(external_id) > MAX_EXTERNAL_ID:
        external_id = None
    if participant is not None:
        external_id = participant.external_id
    return ItemResult(external_id=external_id, status=status, participant=participant, error=error)


async def _restore(services: Services, body: Batch, kept: str) -> BatchResult:
    """Return the answer to a batch that was handled before. The people are read again: none is stored in it."""
    stored = StoredBatch.model_validate_json(kept)
    people = {}
    for place, (item, given) in enumerate(zip(stored.items, body.items, strict=True)):
        if item.error is None:
            people[place] = BatchItem.model_validate(given).external_id, item.within
    async with services.database.readers() as reader:
        states = await batch.find(reader, people, now=services.clock())
    results = []
    for place, (item, given) in enumerate(zip(stored.items, body.items, strict=True)):
        found = states.get(place)
        read = state.read(services, found, item.warnings) if found else None
        results.append(_result(given, item.status, participant=read, error=item.error))
    return BatchResult(items=results)
