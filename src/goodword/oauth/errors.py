"""Errors in the form of RFC 6749 §5.2, which the token, revocation and introspection endpoints answer."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from goodword.errors import AppError, TooManyRequests
from goodword.limits import RateLimited

ENDPOINTS = {"/oauth/token", "/oauth/revoke", "/oauth/introspect"}


class OAuthError(Exception):
    """An error code of the protocol, and a sentence for the developer of the client."""

    status = 400

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description


class InvalidClient(OAuthError):
    """Who calls is not known, or has not proven it (RFC 6749 §5.2: 401 with a challenge)."""

    status = 401

    def __init__(self, description: str = "The client is unknown, or has not proven who it is.") -> None:
        super().__init__("invalid_client", description)


class InvalidGrant(OAuthError):
    def __init__(self, description: str) -> None:
        super().__init__("invalid_grant", description)


async def answer(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OAuthError)
    headers = {"WWW-Authenticate": 'Basic realm="goodword"'} if error.status == 401 else None
    body = {"error": error.error, "error_description": error.description}
    return JSONResponse(body, error.status, headers)


def too_many(request: Request, error: AppError) -> Response | None:
    """A rate limit in the form of these endpoints. RFC 6749 has no code for it; this one comes nearest."""
    if request.scope["path"] not in ENDPOINTS or not isinstance(error, TooManyRequests):
        return None
    body = {"error": "temporarily_unavailable", "error_description": error.detail}
    return JSONResponse(body, error.status, error.headers)


def documented(bad_request: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that answers such errors."""
    unknown = "The client is unknown, or has not proven who it is."
    return {
        400: _response(bad_request, "invalid_request", "A parameter is repeated."),
        401: _response(f"`invalid_client`: {unknown}", "invalid_client", unknown),
        429: _response("Too many requests.", "temporarily_unavailable", RateLimited.detail),
    }


def _response(description: str, error: str, sentence: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
    }
    example = {"error": error, "error_description": sentence}
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": example}},
    }
