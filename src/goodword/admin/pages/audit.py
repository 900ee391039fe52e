"""/admin/audit: the audit log."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from fastapi import Request, Response

from goodword.admin import service, tables
from goodword.admin.pages import audit_messages as words, lists
from goodword.admin.pages.access import Administrator, read_id, router as admin_router
from goodword.audit import hash_chain
from goodword.audit.actions import Action
from goodword.languages import to_translate
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader
from goodword.web.html.rendering import translate_for

router = admin_router()

NO_USER = to_translate("No user with this address or ID.")


@router.get("/audit")
@router.get("/audit.csv")
async def show_audit(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show events, latest first, filtered by action and user."""
    asked = lists.read(request, "/admin/audit", tables.AUDIT, choices=set(Action), filter_name="action")
    # Before `reader` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    seals = await hash_chain.read_state(services_of(request).database)
    person, user_id = None, None
    if asked.text:
        # The user with this id may no longer exist.
        person = await service.find(reader, asked.text)
        user_id = person.id if person else read_id(asked.text)
        if user_id is None:
            asked = replace(asked, wrong={**asked.wrong, "q": translate_for(request, NO_USER)})
    find = partial(tables.find_events, user_id=user_id, action=asked.choice)
    if lists.is_file(request):
        return await lists.send_file(request, asked, find, now=clock())

    def said(texts: Mapping[str, str], name: str) -> str:
        # Another node with a newer release may write actions that are unknown here.
        return translate_for(request, texts.get(name, name))

    return await lists.show(
        request,
        reader,
        visitor,
        "admin_audit.html",
        asked,
        find,
        person=person,
        actions={name: translate_for(request, text) for name, text in words.ACTIONS.items()},
        action_of=partial(said, words.ACTIONS),
        actor_of=partial(said, words.ACTORS),
        subject_of=partial(said, words.SUBJECTS),
        details=tables.details,
        seals=seals,
        is_overdue=_is_overdue(seals, clock()),
    )


def _is_overdue(state: hash_chain.ChainState, now: datetime) -> bool:
    return state.since is not None and state.since < now - hash_chain.OVERDUE
