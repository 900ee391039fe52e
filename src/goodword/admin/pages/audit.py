"""/admin/audit: the audit log."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from fastapi import Request, Response

from goodword.admin import service
from goodword.admin.pages import audit_messages as words
from goodword.admin.pages.access import (
    Administrator,
    admin_page,
    read_id,
    read_search,
    router as admin_router,
)
from goodword.admin.pages.users import PAGE_SIZE
from goodword.audit import hash_chain, service as audit
from goodword.audit.actions import Action
from goodword.audit.models import AuditEvent
from goodword.languages import to_translate
from goodword.services import services_of
from goodword.users.models import User
from goodword.web.dependencies import Clock, Reader
from goodword.web.html.rendering import translate_for

router = admin_router()

NO_USER = to_translate("No user with this address or ID.")


class Row(NamedTuple):
    """An event with its translated texts and the users that it refers to."""

    event: AuditEvent
    what: str
    by: str
    about: str
    details: str
    actor: User | None
    person: User | None


@router.get("/audit")
async def show_audit(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show events, latest first, filtered by action and user."""
    # Before `reader` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    seals = await hash_chain.read_state(services_of(request).database)
    (text, wrong), cursors = read_search(request), services_of(request).cursors
    asked, cursor = request.query_params.get("action", ""), request.query_params.get("cursor")
    action = Action(asked) if asked in set(Action) else None
    user_id = None
    if text and not wrong:
        # The user with this id may no longer exist.
        user = await service.find(reader, text)
        user_id = user.id if user else read_id(text)
        wrong = {} if user_id else {"q": translate_for(request, NO_USER)}
    name = f"pages of audit {action} {user_id}"
    rows: list[Row] = []
    users_by_id: Mapping[uuid.UUID, User] = {}
    following = None
    if not wrong:
        position = cursors.read(cursor, of=name)
        after = position.id if position else None
        found = await audit.list_events(reader, user_id=user_id, action=action, after=after, limit=PAGE_SIZE)
        events, following = cursors.cut(found, PAGE_SIZE, of=name)
        named = {one for event in events for one in (event.actor_id, event.person_id) if one}
        users_by_id = await service.get_many(reader, named | ({user_id} if user_id else set()))
        rows = [_row(request, event, users_by_id) for event in events]
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_audit.html",
        rows=rows,
        person=users_by_id.get(user_id) if user_id else None,
        following=following,
        text=text,
        wrong=wrong,
        actions={name: translate_for(request, said) for name, said in words.ACTIONS.items()},
        chosen=action or "",
        seals=seals,
        is_overdue=_is_overdue(seals, clock()),
    )


def _row(request: Request, event: AuditEvent, users_by_id: Mapping[uuid.UUID, User]) -> Row:
    # Another node with a newer release may write actions that are unknown here.
    return Row(
        event,
        what=translate_for(request, words.ACTIONS.get(event.action, event.action)),
        by=translate_for(request, words.ACTORS.get(event.actor, event.actor)),
        about=translate_for(request, words.SUBJECTS.get(event.subject, event.subject)),
        details=" ".join(f"{name}={value}" for name, value in json.loads(event.details).items()),
        actor=users_by_id.get(event.actor_id) if event.actor_id else None,
        person=users_by_id.get(event.person_id) if event.person_id else None,
    )


def _is_overdue(state: hash_chain.ChainState, now: datetime) -> bool:
    return state.since is not None and state.since < now - hash_chain.OVERDUE
