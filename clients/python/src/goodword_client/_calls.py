"""Calls: what an operation sends, and how it is sent again when that is safe."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2

from goodword_client import errors

T = TypeVar("T")

Answer = httpx2.Response
REFUSED = frozenset({429, 503})
"""Statuses of requests that were not executed, so that each may be sent again."""
PASSING = REFUSED | {502, 504}
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
KEY_IN_USE = "idempotency_key_in_use"
LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and the function that reads its answer."""

    method: str
    path: str
    options: dict[str, Any]
    parse: Callable[[Answer], T]
    takes_key: bool

    def complete(self, shared: dict[str, str]) -> dict[str, Any]:
        """Return the options of the request, with an idempotency key for all attempts if the operation takes one."""
        own = {name: value for name, value in self.options.get("headers", {}).items() if value}
        if self.takes_key:
            own.setdefault("idempotency-key", str(uuid.uuid4()))
        return self.options | {"headers": shared | own}

    def may_repeat(self, status: int | None) -> bool:
        """Return whether the call may be sent again after this status, or after none."""
        is_idempotent = self.method in IDEMPOTENT or self.takes_key
        return status in (PASSING if is_idempotent else REFUSED) or (status is None and is_idempotent)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is sent again, and the waits between: random, up to a bound that doubles."""

    attempts: int = 4
    first_wait: float = 0.5

    def wait(self, call: Call[Any], attempt: int, answer: Answer | None) -> float | None:
        """Return the seconds to wait before the next attempt, or None if there is none."""
        status = answer.status_code if answer is not None else None
        in_use = answer is not None and status == 409 and _code(answer) == KEY_IN_USE
        if attempt + 1 >= self.attempts or not (in_use or call.may_repeat(status)):
            return None
        bound = self.first_wait * 2.0**attempt
        wait = bound / 2 + random.uniform(0, bound / 2)  # noqa: S311  it protects nothing
        asked = retry_after(answer) if answer is not None else None
        if asked is not None and asked > LONGEST_WAIT:
            return None
        return max(wait, asked or 0.0)


class Sender:
    """Sends calls and waits for their answers."""

    _http: httpx2.Client
    _headers: dict[str, str]
    _retries: Retries

    def _send(self, call: Call[T]) -> T:
        options = call.complete(self._headers)
        for attempt in range(self._retries.attempts):
            answer, failure = None, None
            try:
                answer = self._http.request(call.method, call.path, **options)
            except httpx2.TransportError as error:
                failure = error
            if answer is not None and answer.is_success:
                return call.parse(answer)
            wait = self._retries.wait(call, attempt, answer)
            if wait is None:
                raise _error(answer) from failure
            time.sleep(wait)
        raise AssertionError  # the last attempt returns or raises


class AsyncSender:
    """Sends calls and awaits their answers."""

    _http: httpx2.AsyncClient
    _headers: dict[str, str]
    _retries: Retries

    async def _send(self, call: Call[T]) -> T:
        options = call.complete(self._headers)
        for attempt in range(self._retries.attempts):
            answer, failure = None, None
            try:
                answer = await self._http.request(call.method, call.path, **options)
            except httpx2.TransportError as error:
                failure = error
            if answer is not None and answer.is_success:
                return call.parse(answer)
            wait = self._retries.wait(call, attempt, answer)
            if wait is None:
                raise _error(answer) from failure
            await asyncio.sleep(wait)
        raise AssertionError  # the last attempt returns or raises


def unexpected(answer: Answer) -> errors.UnexpectedAnswer:
    """Return the error of an answer that the operation does not have."""
    return errors.UnexpectedAnswer(f"{answer.status_code} {answer.text[:200]}")


def retry_after(answer: Answer) -> float | None:
    """Return the seconds of `Retry-After`, or None."""
    try:
        return float(answer.headers["retry-after"])
    except (KeyError, ValueError):
        return None


def _code(answer: Answer) -> str | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    code = found.get("code", found.get("error")) if isinstance(found, dict) else None
    return code if isinstance(code, str) else None


def _error(answer: Answer | None) -> errors.GoodwordError:
    from goodword_client.generated.error_codes import BY_CODE  # it imports errors of this package

    if answer is None:
        return errors.Unreachable("The service could not be reached.")
    code = _code(answer)
    if code is None:
        return unexpected(answer)
    body = answer.json()
    problem = body | {"code": code, "detail": body.get("detail", body.get("error_description", ""))}
    kind = BY_CODE.get(code) or BY_STATUS.get(answer.status_code, errors.ApiError)
    return kind(answer.status_code, problem, retry_after(answer))


BY_STATUS: dict[int, type[errors.ApiError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    422: errors.Unprocessable,
    429: errors.TooManyRequests,
    503: errors.Unavailable,
}
"""For codes that this version of the client does not know."""
