"""What can go wrong: kinds of error that fix the HTTP status, stable codes, and problem documents (RFC 9457)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypedDict

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Route

from goodword.db import is_lock_timeout, is_out_of_reach, is_unique_violation


class FieldError(TypedDict):
    """One thing wrong with one field. The submitted value is never in it."""

    field: str
    code: str
    message: str


class AppError(Exception):
    """Base of all. Subclass a kind below, which fixes the status; `code` is API and never renamed."""

    status: ClassVar[int]
    title: ClassVar[str]
    code: ClassVar[str]
    detail: str

    def __init__(self, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.code)
        self.headers = dict(headers or {})

    @property
    def errors(self) -> Sequence[FieldError]:
        return ()


class BadRequest(AppError):
    status, title = 400, "Bad Request"
    code, detail = "bad_request", "The request could not be understood."


class Unauthorized(AppError):
    """No valid access token. Carries the challenge of RFC 6750 §3."""

    status, title = 401, "Unauthorized"
    code, detail = "unauthorized", "Sign in, and send the access token as `Authorization: Bearer …`."


class TokenInvalid(Unauthorized):
    """An access token that is malformed, not ours, expired, or of a session that has ended."""

    code, detail = "invalid_token", "The access token is not valid, or no longer. Refresh it or sign in."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


class Forbidden(AppError):
    status, title = 403, "Forbidden"


class InsufficientScope(Forbidden):
    code, detail = "insufficient_scope", "This token was not given the right to do this."


class NotFound(AppError):
    status, title = 404, "Not Found"
    code, detail = "not_found", "There is nothing at this address."


class MethodNotAllowed(AppError):
    status, title = 405, "Method Not Allowed"
    code, detail = (
        "method_not_allowed",
        "This address does not take that method; `Allow` lists those it takes.",
    )


class Conflict(AppError):
    status, title = 409, "Conflict"
    code, detail = "conflict", "Someone changed this at the same moment. Look again and retry."


class BodyTooLarge(AppError):
    status, title = 413, "Content Too Large"
    code, detail = "body_too_large", "A request body may have 64 KiB at most."


class UnsupportedMediaType(AppError):
    status, title = 415, "Unsupported Media Type"
    code, detail = "unsupported_media_type", "Send the body as `application/json` in UTF-8."


class Unprocessable(AppError):
    """The request is well formed, but a field of it will not do."""

    status, title = 422, "Unprocessable Content"
    code, detail = "validation_failed", "Some fields are not valid; `errors` lists them."
    field: str = "body"

    @property
    def errors(self) -> Sequence[FieldError]:
        return [{"field": self.field, "code": self.code, "message": self.detail}]


class ValidationFailed(Unprocessable):
    """The shape of the request is wrong: all that was found at once."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__()
        self._errors = errors

    @property
    def errors(self) -> Sequence[FieldError]:
        return self._errors


class TooManyRequests(AppError):
    status, title = 429, "Too Many Requests"


class InternalError(AppError):
    status, title = 500, "Internal Server Error"
    code, detail = "internal_error", "This is a fault of ours. It was logged under the request id."


class Unavailable(AppError):
    """Nothing wrong with the request: try it again, as `Retry-After` (seconds) says."""

    status, title = 503, "Service Unavailable"
    code, detail = "unavailable", "The service cannot do this just now. Try again shortly."

    def __init__(self, *, retry_after: int = 1) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class DatabaseUnavailable(Unavailable):
    code, detail = "database_unavailable", "The database does not answer just now. Try again shortly."


def problem(error: AppError, request_id: str) -> dict[str, Any]:
    """The problem document of an error. Its `type` is a name, not an address: there is nothing to fetch."""
    document: dict[str, Any] = {
        "type": f"urn:goodword:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = list(error.errors)
    return document


def answer(error: AppError, request_id: str, **members: Any) -> JSONResponse:
    """The answer to an error; `members` extend its problem document (RFC 9457 §3.2)."""
    document = problem(error, request_id) | members
    return JSONResponse(document, error.status, error.headers, media_type="application/problem+json")


Respond = Callable[[Request, AppError], Response]
Form = Callable[[Request, AppError], Response | None]


def install(app: FastAPI, *forms: Form) -> Respond:
    """The one mapping of errors to answers, and what gives them their form. What is not mapped here is a bug.

    Each of the `forms` is asked whether it has another one than the problem document for this request: a page
    where a person is looking, the form of RFC 6749 where an OAuth client is. Returned is what answers an error,
    for those who meet one outside of the endpoints.
    """

    def respond(request: Request, error: AppError) -> Response:
        for form in forms:
            if response := form(request, error):
                return response
        return answer(error, request.state.request_id)

    @app.exception_handler(AppError)
    async def own(request: Request, error: AppError) -> Response:
        return respond(request, error)

    @app.exception_handler(RequestValidationError)
    async def shape(request: Request, error: RequestValidationError) -> Response:
        return respond(request, ValidationFailed([_field_error(found) for found in error.errors()]))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            allowed = ", ".join(sorted(_methods(app, request.scope["path"])))
            return respond(request, MethodNotAllowed(headers={"Allow": allowed}))
        return respond(request, NotFound() if error.status_code == 404 else BadRequest())

    @app.exception_handler(DBAPIError)
    async def database(request: Request, error: DBAPIError) -> Response:
        if is_unique_violation(error):
            return respond(request, Conflict())
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            return respond(request, DatabaseUnavailable())
        if is_lock_timeout(error) or is_out_of_reach(error):
            return respond(request, DatabaseUnavailable())
        raise error

    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OSError)  # drivers let the refused connection through as it is
    async def no_connection(request: Request, _error: Exception) -> Response:
        return respond(request, DatabaseUnavailable())

    return respond


def _field_error(found: Mapping[str, Any]) -> FieldError:
    # An unknown field's name is the sender's text: only one that could be a field's name is repeated.
    path = [str(part) for part in found["loc"] if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(part), re.ASCII)]
    return {"field": ".".join(path), "code": found["type"], "message": message_of(found)}


OF_RULES = frozenset(
    {"expected", "pattern", "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length"}
)
"""What a message may be filled with: the rule that was broken. All else comes from what was sent."""
MESSAGES = {"uuid_parsing": "Give a UUID, such as 019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11."}


def message_of(found: Mapping[str, Any]) -> str:
    """What is wrong, for the developer of a client. Some of Pydantic's own messages repeat what was sent."""
    if found["type"] in MESSAGES:
        return MESSAGES[found["type"]]
    if found.get("ctx", {}).keys() - OF_RULES - {"field_type", "actual_length"}:
        return "This value is not valid."
    said: str = found["msg"]
    return said


def _methods(app: FastAPI, path: str) -> set[str]:
    # Each method of a path is a route of its own here, and the router names only those of the first.
    routes = (context.original_route for context in iter_route_contexts(app.routes))
    methods = {
        method
        for route in routes
        if isinstance(route, Route) and route.path_regex.match(path)
        for method in route.methods or ()
    }
    return methods | {"HEAD"} if "GET" in methods else methods
