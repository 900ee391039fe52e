"""What can go wrong: kinds of error that fix the HTTP status, stable codes, and problem documents (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypedDict


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
