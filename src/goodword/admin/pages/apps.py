"""/admin/apps: registered apps, and the keys that sign tokens."""

from fastapi import Request, Response

from goodword.admin import tables
from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, router as admin_router
from goodword.admin.pages.api_keys import form_values
from goodword.api_keys import service
from goodword.languages import to_translate
from goodword.oauth import registration
from goodword.oauth.clients import DOCS, is_id
from goodword.sessions import keys
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.rendering import link, see_other

router = admin_router()

DONE = {
    "disabled": to_translate("The app is disabled. Its tokens no longer work."),
    "revoked": to_translate("The key is revoked."),
    "no_key": to_translate("There is no such key, or it is revoked."),
}


@router.get("/apps")
@router.get("/apps.csv")
async def show_apps(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show the registered apps and the signing keys."""
    asked, now = lists.read(request, "/admin/apps", tables.APPS), clock()
    if lists.is_file(request):
        return await lists.send_file(request, asked, tables.find_all, now=now)
    # Before `reader` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    choices = await form_values(request)
    return await lists.show(
        request,
        reader,
        visitor,
        "admin_apps.html",
        asked,
        tables.find_all,
        done=DONE,
        keys=await keys.list_keys(reader),
        api_keys=await service.list_keys(reader),
        **choices,
        docs=DOCS,
        now=now,
    )


@router.post("/apps/disable")
async def disable_app(request: Request, session: Session, clock: Clock) -> Response:
    """Disable an app, and end its sessions."""
    client_id = (await read_form(request)).get("client_id", "")
    if is_id(client_id):
        await registration.disable(session, client_id, now=clock())
    return see_other(f"{link(request, '/admin/apps')}?done=disabled")
