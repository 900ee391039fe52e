"""The userinfo endpoint (OpenID Connect Core §5.3)."""

from typing import Any

from fastapi import APIRouter

from goodword.oauth.schemas import UserInfo
from goodword.sessions.auth import OpenId
from goodword.users import service as users
from goodword.web.dependencies import Reader

router = APIRouter(prefix="/oauth", tags=["Authorized apps"])

USERINFO: dict[str, Any] = {"summary": "Who signed in", "response_model_exclude_none": True}


@router.get("/userinfo", **USERINFO)
async def read_userinfo(caller: OpenId, reader: Reader) -> UserInfo:
    """Return the claims about the user that the scopes of the token allow (OpenID Connect Core §5.3)."""
    user = await users.get(reader, caller.user_id)
    found: dict[str, Any] = {"sub": str(user.id)}
    if "profile" in caller.scopes:
        names = [name for name in (user.first_name, user.last_name) if name]
        found |= {
            "name": " ".join(names) or None,
            "given_name": user.first_name,
            "family_name": user.last_name,
        }
    if "email" in caller.scopes:
        found |= {"email": user.email, "email_verified": user.verified_at is not None}
    return UserInfo(**found)


@router.post("/userinfo", **USERINFO)
async def post_userinfo(caller: OpenId, reader: Reader) -> UserInfo:
    """Return the same claims to clients that use POST. The token is sent in the header here too."""
    return await read_userinfo(caller, reader)
