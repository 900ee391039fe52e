"""The userinfo endpoint (OpenID Connect Core §5.3)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import SecurityScopes

from goodword.errors import CHALLENGE, BadRequest
from goodword.oauth.claims import claims_of
from goodword.oauth.schemas import UserInfo
from goodword.sessions.auth import Caller, OpenId, authenticate, authenticate_token, bearer
from goodword.users import service as users
from goodword.web.dependencies import Reader
from goodword.web.forms import is_form, read_form
from goodword.web.openapi import problems
from goodword.web.urlencoded import FORM, FormInvalid, ParameterRepeated

router = APIRouter(prefix="/oauth", tags=["Authorized apps"])

USERINFO: dict[str, Any] = {"summary": "Who signed in", "response_model_exclude_none": True}
TOKEN_FORM = {
    "requestBody": {
        "content": {
            FORM: {
                "schema": {
                    "title": "UserInfoRequest",
                    "type": "object",
                    "properties": {"access_token": {"type": "string"}},
                },
                "example": {"access_token": "eyJhbGciOiJFUzI1…"},
            }
        }
    }
}


class AccessTokenRepeated(BadRequest):
    code, detail = "access_token_repeated", "Send the access token once: in the header or in the form."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_request"'})


async def get_caller(
    request: Request, needed: SecurityScopes, _shown: Annotated[object, Depends(bearer)]
) -> Caller:
    """Return the caller by the token in the header or in the form (RFC 6750 §2.1, §2.2)."""
    form = await read_form(request) if is_form(request) else {}
    if "access_token" not in form:
        return await authenticate(request, frozenset(needed.scopes))
    if "authorization" in request.headers:
        raise AccessTokenRepeated
    return await authenticate_token(request, form["access_token"], frozenset(needed.scopes))


@router.get("/userinfo", **USERINFO)
async def get_userinfo(caller: OpenId, reader: Reader) -> UserInfo:
    """Return the claims about the user that the scopes of the token allow (OpenID Connect Core §5.3)."""
    user = await users.get(reader, caller.user_id)
    return UserInfo.model_validate({"sub": str(user.id), **claims_of(user, caller.scopes)})


@router.post(
    "/userinfo",
    openapi_extra=TOKEN_FORM,
    responses=problems(AccessTokenRepeated, FormInvalid, ParameterRepeated),
    **USERINFO,
)
async def post_userinfo(
    caller: Annotated[Caller, Security(get_caller, scopes=["openid"])], reader: Reader
) -> UserInfo:
    """Return the same claims. The token is in the header, or in the form as `access_token` (RFC 6750 §2.2)."""
    return await get_userinfo(caller, reader)
