"""The base classes of errors. Each has an HTTP status, and a code for problem documents (RFC 9457)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, TypedDict

CHALLENGE = 'Bearer realm="goodword"'
"""The challenge to a request without an access token (RFC 6750 §3)."""


class FieldError(TypedDict):
    """An invalid field. The submitted value is never included."""

    field: str
    code: str
    message: str


class AppError(Exception):
    """Base class of all errors. Inherit from a class below, which sets the status. `code` is API: never rename it."""

    status: ClassVar[int]
    title: ClassVar[str]
    code: str
    detail: str

    def __init__(self, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.code)
        self.headers = dict(headers or {})

    @property
    def errors(self) -> Sequence[FieldError]:
        return ()


class BadRequest(AppError):
    status, title = 400, "Bad Request"
    code, detail = "bad_request", "The request is malformed."


class Unauthorized(AppError):
    """No valid access token. The response contains the challenge of RFC 6750 §3."""

    status, title = 401, "Unauthorized"
    code, detail = "unauthorized", "Sign in, and send the access token as `Authorization: Bearer …`."

    def __init__(self, challenge: str = CHALLENGE) -> None:
        super().__init__(headers={"WWW-Authenticate": challenge})


class TokenInvalid(Unauthorized):
    """An access token that is malformed, unknown, expired, or of a session that has ended."""

    code, detail = "invalid_token", "The access token is invalid or has expired. Refresh it or sign in."

    def __init__(self) -> None:
        super().__init__(f'{CHALLENGE}, error="invalid_token"')


class Forbidden(AppError):
    status, title = 403, "Forbidden"


class InsufficientScope(Forbidden):
    code = "insufficient_scope"
    detail = "The access token or API key does not have the scope that this operation requires."

    def __init__(self, scopes: Iterable[str] = ()) -> None:
        scope = f', scope="{" ".join(sorted(scopes))}"' if scopes else ""
        super().__init__(headers={"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope"{scope}'})


class UserRequired(InsufficientScope):
    """The access token of a client itself (RFC 6749 §4.4), for an operation of users."""

    detail = "This operation is for users. An access token from `client_credentials` has no user."


class NotFound(AppError):
    status, title = 404, "Not Found"
    code, detail = "not_found", "There is no resource with this URL."


class MethodNotAllowed(AppError):
    status, title = 405, "Method Not Allowed"
    code = "method_not_allowed"
    detail = "This URL does not support the method. `Allow` lists those it supports."


class Conflict(AppError):
    status, title = 409, "Conflict"
    code, detail = "conflict", "Another request changed this at the same time. Read it again and retry."


class BodyTooLarge(AppError):
    status, title = 413, "Content Too Large"
    code, detail = "body_too_large", "A request body may have 64 KiB at most."


class UnsupportedMediaType(AppError):
    status, title = 415, "Unsupported Media Type"
    code, detail = "unsupported_media_type", "Send the body as `application/json` in UTF-8."


class Unprocessable(AppError):
    """A well-formed request with an invalid field."""

    status, title = 422, "Unprocessable Content"
    code, detail = "validation_failed", "Some fields are invalid. `errors` lists them."
    field: str = "body"

    @property
    def errors(self) -> Sequence[FieldError]:
        return [{"field": self.field, "code": self.code, "message": self.detail}]


class ValidationFailed(Unprocessable):
    """All errors that validation found in a request."""

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
    code, detail = "internal_error", "An unexpected error occurred. It was logged with the request id."


class Unavailable(AppError):
    """A valid request that may succeed later: retry it after `Retry-After` seconds."""

    status, title = 503, "Service Unavailable"
    code, detail = "unavailable", "The service is temporarily unavailable. Try again shortly."

    def __init__(self, *, retry_after: int = 1) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class DatabaseUnavailable(Unavailable):
    code, detail = "database_unavailable", "The database is temporarily unavailable. Try again shortly."


class StorageFull(Unavailable):
    code, detail = "storage_full", "The disk of the database is full. Reading still works. Try again later."
