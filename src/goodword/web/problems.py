"""Problem documents (RFC 9457), and the mapping of exceptions to responses."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from goodword.db.error_causes import DISK_FULL, describe, explain
from goodword.db.statements import is_unavailable, is_unique_violation
from goodword.errors import (
    AppError,
    BadRequest,
    Conflict,
    DatabaseUnavailable,
    FieldError,
    MethodNotAllowed,
    NotFound,
    StorageFull,
    ValidationFailed,
)
from goodword.web.retries import response_after_conflict

log = structlog.get_logger("goodword.request")


def problem(error: AppError | type[AppError], request_id: str) -> dict[str, Any]:
    """Return the problem document of an error. Its `type` is a URN, which cannot be dereferenced."""
    document: dict[str, Any] = {
        "type": f"urn:goodword:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if isinstance(error, AppError) and error.errors:
        document["errors"] = list(error.errors)
    return document


def answer(error: AppError, request_id: str, **members: Any) -> Response:
    """Return the response for an error. `members` extend the problem document (RFC 9457 §3.2)."""
    return Response(
        to_json(problem(error, request_id) | members),
        error.status,
        error.headers,
        media_type="application/problem+json",
    )


ErrorResponder = Callable[[Request, AppError], Response]
ErrorRenderer = Callable[[Request, AppError], Response | None]


def install(app: FastAPI, *renderers: ErrorRenderer) -> ErrorResponder:
    """Install the exception handlers. Return the function that renders an error, for use outside endpoints.

    The first of the `renderers` that returns a response renders the error: as a page, or as RFC 6749 requires.
    Otherwise the response is a problem document. An exception without a handler is a bug.
    """

    def respond(request: Request, error: AppError) -> Response:
        for render in renderers:
            if response := render(request, error):
                return response
        return answer(error, request.state.request_id)

    @app.exception_handler(AppError)
    async def own(request: Request, error: AppError) -> Response:
        return respond(request, error)

    @app.exception_handler(RequestValidationError)
    async def shape(request: Request, error: RequestValidationError) -> Response:
        return respond(request, ValidationFailed([field_error(found) for found in error.errors()]))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            allowed = ", ".join(sorted(_methods(app, request.scope)))
            return respond(request, MethodNotAllowed(headers={"Allow": allowed}))
        return respond(request, NotFound() if error.status_code == 404 else BadRequest())

    @app.exception_handler(DBAPIError)
    async def database(request: Request, error: DBAPIError) -> Response:
        if is_unique_violation(error):
            return respond(request, Conflict())
        if rerun := response_after_conflict(request, error):
            return rerun
        if explain(error) is None and not is_unavailable(error):
            raise error
        return unavailable(request, error)

    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OSError)  # drivers do not wrap a refused connection
    async def no_connection(request: Request, error: Exception) -> Response:
        return unavailable(request, error)

    def unavailable(request: Request, error: Exception) -> Response:
        cause = describe(error)
        log.warning(
            "503: the database cannot be used", error=cause
        )  # one line a response, so that they can be counted
        return respond(request, StorageFull() if cause == DISK_FULL else DatabaseUnavailable())

    return respond


def field_error(found: Mapping[str, Any]) -> FieldError:
    # The name of an unknown field is input, so only a valid identifier is repeated.
    path = [str(part) for part in found["loc"] if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(part), re.ASCII)]
    return {"field": ".".join(path), "code": found["type"], "message": message_of(found)}


SCHEMA_VALUES = frozenset(
    {"expected", "pattern", "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length"}
)
"""Values that a message may contain, because they come from the schema. Others may come from the input."""
MESSAGES = {"uuid_parsing": "Send a UUID, such as 019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11."}


def message_of(found: Mapping[str, Any]) -> str:
    """Return the message of a validation error. Some messages of Pydantic repeat the input and are replaced."""
    if found["type"] in MESSAGES:
        return MESSAGES[found["type"]]
    if found.get("ctx", {}).keys() - SCHEMA_VALUES - {"field_type", "actual_length"}:
        return "This value is not valid."
    message: str = found["msg"]
    return message


def _methods(app: FastAPI, scope: Scope) -> set[str]:
    # Each method of a path has its own route, and the router lists only the methods of the first.
    routes = (context.original_route for context in iter_route_contexts(app.routes))
    methods = {
        method
        for route in routes
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return methods | {"HEAD"} if "GET" in methods else methods


def hide_subtree(app: FastAPI, prefix: str) -> None:
    """Return 404 for all other requests below `prefix`. A 405 or a redirect would reveal that it exists."""
    app.router.routes.append(Route(prefix + "{rest:path}", _NotFound(), include_in_schema=False))


class _NotFound:
    """An ASGI application, because Starlette limits the methods of a function."""

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise NotFound
