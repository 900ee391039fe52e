"""Error responses of the token, revocation and introspection endpoints (RFC 6749 §5.2)."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from goodword.errors import AppError
from goodword.oauth.errors import InvalidClient, OAuthError
from goodword.oauth.schemas import TokenError
from goodword.rate_limits.limiter import RateLimited

ENDPOINTS = frozenset({"/oauth/token", "/oauth/revoke", "/oauth/introspect"})


def render_error(request: Request, error: AppError) -> Response | None:
    """Return the error in the form of RFC 6749, or None if the request is not for one of these endpoints."""
    if request.scope["path"] not in ENDPOINTS:
        return None
    body = {"error": _code(error), "error_description": error.detail}
    return JSONResponse(body, error.status, error.headers)


def _code(error: AppError) -> str:
    """Return the error code. RFC 6749 §5.2 has none for an overload or a failure: the status tells them apart."""
    return error.code if isinstance(error, OAuthError) else "invalid_request"


def documented(bad_request: str) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an operation with OAuth errors."""
    unknown = InvalidClient().detail
    return {
        400: _response(bad_request, "invalid_request", "A parameter is repeated."),
        401: _response(f"`invalid_client`: {unknown}", "invalid_client", unknown),
        429: _response("Too many requests.", "invalid_request", RateLimited.detail),
        "default": _response(
            "Refused before the operation: body too large (413), request too slow (408), server overloaded (503) …",
            "invalid_request",
            "Too many requests at this moment. Try again shortly.",
        ),
    }


def _response(description: str, error: str, sentence: str) -> dict[str, Any]:
    example = {"error": error, "error_description": sentence}
    return {
        "model": TokenError,
        "description": description,
        "content": {"application/json": {"example": example}},
    }
