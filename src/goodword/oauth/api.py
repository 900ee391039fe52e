"""The token endpoint of OAuth 2.0 (RFC 6749): here, refreshing."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from goodword.db import Session
from goodword.http import Clock
from goodword.sessions import service
from goodword.sessions.answers import token_answer
from goodword.sessions.schemas import TokenRead

FORM = "application/x-www-form-urlencoded"

router = APIRouter(prefix="/oauth", tags=["Sessions"])


class OAuthError(Exception):
    """An error in the form of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error, self.description, self.status = error, description, status


async def read_form(request: Request) -> dict[str, str]:
    """The parameters of a form body, each once (RFC 6749 §3.2). Raises `OAuthError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthError("invalid_request", f"Send the parameters as {FORM}.")
    try:
        pairs = parse_qsl(
            (await request.body()).decode(), keep_blank_values=True, max_num_fields=32, errors="strict"
        )
    except ValueError:
        raise OAuthError("invalid_request", "The form cannot be read.") from None
    if any(count > 1 for count in Counter(name for name, _ in pairs).values()):
        raise OAuthError("invalid_request", "A parameter is repeated.")
    return dict(pairs)


async def answer_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OAuthError)
    return JSONResponse({"error": error.error, "error_description": error.description}, error.status)


TOKEN_DOCS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "refresh_token"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["refresh_token"]},
                        "refresh_token": {"type": "string"},
                    },
                },
                "example": {"grant_type": "refresh_token", "refresh_token": "gwr_AZrd0c…"},
            }
        },
    },
    "responses": {
        "400": {
            "description": "`invalid_request`, `unsupported_grant_type`, or `invalid_grant`: the token is unknown, "
            "spent, expired, or of a session that has ended. Sign in again.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["error"],
                        "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
                    },
                    "example": {
                        "error": "invalid_grant",
                        "error_description": "The refresh token is not good, or no longer.",
                    },
                }
            },
        }
    },
}


@router.post("/token", summary="Refresh", openapi_extra=TOKEN_DOCS)
async def token(request: Request, session: Session, clock: Clock) -> TokenRead:
    """Trade a refresh token for a new pair of tokens (RFC 6749 §6).

    Each refresh token is good once. For ten seconds the one before answers with the pair in force, for an
    answer that was lost; an older one was copied by somebody, and ends the session.
    """
    form = await read_form(request)
    if form.get("grant_type") != "refresh_token":
        known = "grant_type" in form
        raise OAuthError(
            "unsupported_grant_type" if known else "invalid_request", "Use grant_type=refresh_token."
        )
    if not form.get("refresh_token"):
        raise OAuthError("invalid_request", "refresh_token is missing.")
    try:
        signed_in = await service.refresh(
            session, request.app.state.refresh_tokens, form["refresh_token"], now=clock()
        )
    except service.RefreshRefused:
        raise OAuthError("invalid_grant", "The refresh token is not good, or no longer.") from None
    return token_answer(request, signed_in)
