"""Errors of the client. Those of the service have a class for each `code`, in `goodword_client.codes`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class GoodwordError(Exception):
    """An error of this client."""


class Unreachable(GoodwordError):
    """The service could not be reached, or did not answer in time, in all attempts."""


class UnexpectedAnswer(GoodwordError):
    """The answer is not one of the service: of a proxy, perhaps, or of another version."""


class WebhookRefused(GoodwordError):
    """The signature of a webhook is wrong, or too old, or its body cannot be read."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """An invalid field of a request."""

    field: str
    code: str
    message: str


class ApiError(GoodwordError):
    """The service refused a request. `code` says why, and does not change; `detail` is text for people."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code: str = problem["code"]
        self.title: str = problem.get("title", "")
        self.detail: str = problem.get("detail", "")
        self.request_id: str | None = problem.get("request_id")
        self.errors: Sequence[FieldError] = [
            FieldError(found["field"], found["code"], found["message"])
            for found in problem.get("errors") or ()
        ]
        self.retry_after = retry_after
        super().__init__(f"{status} {self.code}: {self.detail} (request {self.request_id})")


class BadRequest(ApiError):
    """The request cannot be read (400)."""


class Unauthorized(ApiError):
    """The key or token is missing, unknown or expired (401)."""


class Forbidden(ApiError):
    """The key or token lacks a scope (403)."""


class NotFound(ApiError):
    """There is no such thing, or the caller may not see it (404)."""


class Conflict(ApiError):
    """The state of the service does not allow it (409)."""


class Unprocessable(ApiError):
    """A field is invalid (422). `errors` lists them."""


class TooManyRequests(ApiError):
    """A limit is reached, also after all attempts (429). `retry_after` is in seconds."""


class Unavailable(ApiError):
    """The service is overloaded or stopping, also after all attempts (503)."""
