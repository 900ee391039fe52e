"""/me/apps: the apps that a user has authorized."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from goodword.oauth import service
from goodword.oauth.schemas import AppList, AppRead
from goodword.services import services_of
from goodword.sessions.auth import Account
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit

router = APIRouter(prefix="/api/v1/me/apps", tags=["Your account"], route_class=JsonRoute)


@router.get("", summary="List connected apps", responses=problems(CursorInvalid))
async def list_apps(
    request: Request, caller: Account, reader: Reader, limit: Limit = 50, cursor: Cursor = None
) -> AppList:
    """List the authorized apps with their scopes, the latest first."""
    cursors, name = services_of(request).cursors, f"apps {caller.user_id}"
    found = await service.list_apps(reader, caller.user_id, after=cursors.read(cursor, of=name), limit=limit)
    rows, following = cursors.cut(found, limit, of=name)
    return AppList(items=[AppRead.model_validate(row) for row in rows], next_cursor=following)


@router.delete(
    "/{client_id}",
    summary="Shut an app out",
    status_code=204,
    responses=problems(service.AppNotFound),
)
async def revoke_app_access(
    client_id: Annotated[str, Path(description="`client_id` of the app.")],
    caller: Account,
    session: Session,
    clock: Clock,
) -> None:
    """Revoke an app's access. Its tokens stop working at once. The app can ask for access again."""
    await service.revoke_access(session, caller.user_id, client_id, now=clock())
