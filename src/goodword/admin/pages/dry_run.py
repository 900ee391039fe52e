"""/admin/programs/{slug}/dry-run: what an event would earn now, and why rules would make no reward."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.admin import service
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.events.schemas import EventCreate
from goodword.money import minor_units
from goodword.participants.access import ParticipantNotFound, Scope
from goodword.programs import service as programs
from goodword.programs.models import Program
from goodword.rewards import recording, words
from goodword.services import services_of
from goodword.web.dependencies import Clock, Session
from goodword.web.html import messages
from goodword.web.html.rendering import translate_for
from goodword.web.schemas import Text

router = admin_router()

FIELDS = ("participant", "type", "amount", "currency")


@router.get("/programs/{slug}/dry-run")
async def show_dry_run(
    slug: str, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Show what the event in the query would earn. Nothing is written."""
    program, now = await programs.get(session, slug), clock()
    asked = {name: request.query_params.get(name, "").strip() for name in FIELDS}
    asked = {name: text for name, text in asked.items() if text}
    codes: Mapping[str, str] = {}
    found: Mapping[str, Any] | None = None
    if asked:
        body, codes = await _read(session, program, asked, now)
        if body is not None:
            found = await _examine(request, session, program, body, now)
    texts = {
        name: translate_for(request, messages.TEXTS.get(codes[name], messages.NOT_POSSIBLE))
        for name in FIELDS
        if name in codes
    }
    return await admin_page(
        request,
        session,
        visitor,
        "admin_dry_run.html",
        error=translate_for(request, messages.CHECK_FIELDS) if texts else None,
        errors=texts,
        program=program,
        asked=asked,
        found=found,
    )


async def _read(
    session: AsyncSession, program: Program, asked: Mapping[str, str], now: datetime
) -> tuple[EventCreate | None, Mapping[str, str]]:
    """Return the event in the query, or None and the codes of the errors by field."""
    codes: dict[str, str] = {}
    user, currency = None, asked.get("currency", program.currency).upper()
    try:
        user = await service.find(session, _PERSON.validate_python(asked.get("participant", "")))
    except ValidationError as error:
        codes["participant"] = error.errors(include_input=False)[0]["type"]
    if user is None:
        codes.setdefault("participant", "participant_not_found" if "participant" in asked else "missing")
    event: dict[str, Any] = {
        "id": f"dry-run-{uuid7()}",
        "type": asked.get("type"),
        "participant": {"id": str(user.id if user else program.id)},
        "occurred_at": now.isoformat(),
    }
    if "amount" in asked:
        try:
            minor = minor_units(asked["amount"], currency)
        except ValueError:
            minor, codes["currency"] = 0, "currency_invalid"
        if minor is None:
            codes["amount"] = "amount_invalid"
        event["amount"] = {"minor": minor or 0, "currency": currency}
    try:
        body = EventCreate.model_validate(event)
    except ValidationError as error:
        found = {_field(one["loc"]): one["type"] for one in error.errors(include_input=False)}
        return None, found | codes
    return (None, codes) if codes else (body, codes)


def _field(location: Sequence[int | str]) -> str:
    return "currency" if location[-1] == "currency" else str(location[0])


async def _examine(
    request: Request, session: AsyncSession, program: Program, body: EventCreate, now: datetime
) -> Mapping[str, Any]:
    """Return the rewards that an event would make, and why other rules would make none."""
    services = services_of(request)
    scope = Scope(program, limit=None, named=True)
    try:
        rewards, granted, outcome = await recording.examine(session, services, body, scope, now=now)
    except ParticipantNotFound:  # an erased person
        return {"rewards": [], "refusals": [], "is_erased": True}
    rules = {rule.rule_id: rule for rule in await services.reward_rules.triggered_by(program.id, body.type)}
    return {
        "rewards": list(zip(granted, rewards, strict=True)),
        "refusals": [
            (rules.get(one.rule_id), translate_for(request, words.TEXTS[one.reason]))
            for one in outcome.not_rewarded
        ],
        "is_erased": False,
    }


_PERSON: TypeAdapter[str] = TypeAdapter(Annotated[Text, Field(max_length=320)])
