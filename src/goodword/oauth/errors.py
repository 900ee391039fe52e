"""Errors in the form of RFC 6749 §5.2, which the token, revocation and introspection endpoints answer."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from goodword.errors import AppError
from goodword.rate_limits.limiter import RateLimited

ENDPOINTS = frozenset({"/oauth/token", "/oauth/revoke", "/oauth/introspect"})


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


def form(request: Request, error: AppError) -> Response | None:
    """An error of the service's own as the clients of these endpoints know it; its status tells more."""
    if request.scope["path"] not in ENDPOINTS:
        return None
    if error.status in (429, 503):
        known = "temporarily_unavailable"
    else:
        known = "server_error" if error.status >= 500 else "invalid_request"
    body = {"error": known, "error_description": error.detail}
    return JSONResponse(body, error.status, error.headers)


def documented(bad_request: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that answers such errors."""
    unknown = "The client is unknown, or has not proven who it is."
    return {
        400: _response(bad_request, "invalid_request", "A parameter is repeated."),
        401: _response(f"`invalid_client`: {unknown}", "invalid_client", unknown),
        429: _response("Too many requests.", "temporarily_unavailable", RateLimited.detail),
        "default": _response(
            "Refused before the operation was reached: too large (413), too slow (408), too much to do (503) …",
            "temporarily_unavailable",
            "Too many requests at this moment. Try again shortly.",
        ),
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
