"""/admin/api-keys: the forms that create and revoke API keys. /admin/apps shows them, with the keys that exist."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import Request, Response

from goodword.admin.pages.access import Administrator, admin_page, read_id, router as admin_router
from goodword.api_keys import service
from goodword.languages import to_translate
from goodword.oauth.scopes import SERVER_SCOPES
from goodword.services import services_of
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import read_form
from goodword.web.html.rendering import link, see_other, translate_for

router = admin_router()

ALL_PROGRAMS = to_translate("All programs")


async def form_values(request: Request, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the template values of the form: its choices, and what was entered."""
    programs = (await services_of(request).programs.all()).values()
    return {
        "scopes": {name: translate_for(request, about) for name, about in SERVER_SCOPES.items()},
        "programs": {
            "": translate_for(request, ALL_PROGRAMS),
            **{str(program.id): program.name for program in programs},
        },
        "entered": form or {},
    }


@router.post("/api-keys/create")
async def create_api_key(
    request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Create a key and show it. No other page shows it."""
    form, services = await read_form(request), services_of(request)
    name, values = form.get("name", "").strip(), await form_values(request, form)
    program_id = read_id(form.get("program", ""))
    try:
        _, text = await service.create(
            session,
            services.keys.api_keys,
            name=name,
            scope=[scope for scope in SERVER_SCOPES if scope in form],
            program_id=program_id if str(program_id) in values["programs"] else None,
            lifetime=_lifetime(form.get("days", "").strip()),
            now=clock(),
        )
    except service.ApiKeyInvalid as error:
        values |= {"name": name, "text": None, "error": translate_for(request, str(error))}
    else:
        values |= {"name": name, "text": text}
    here = link(request, "/admin/apps")
    return await admin_page(request, session, visitor, "admin_api_key.html", here=here, **values)


def _lifetime(days: str) -> timedelta | None:
    if not days:
        return None
    # Not a number: a term that `create` refuses.
    return timedelta(days=int(days) if days.isascii() and days.isdecimal() and len(days) < 6 else 0)


@router.post("/api-keys/revoke")
async def revoke_api_key(request: Request, session: Session, clock: Clock) -> Response:
    """Revoke a key at once."""
    key_id = read_id((await read_form(request)).get("of", ""))
    is_revoked = key_id is not None and await service.revoke_by_id(session, key_id, now=clock())
    return see_other(f"{link(request, '/admin/apps')}?done={'revoked' if is_revoked else 'no_key'}")
