"""The requests of a load, and how each ended."""

import time
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple

TIMEOUT = 30
REFUSED = -1
"""The status of an attempt whose connection was refused."""


class Attempt(NamedTuple):
    began: float
    ended: float
    status: int
    """0 without a response."""
    is_write: bool


def attempt(
    place: str, method: str, path: str, content: str | None, headers: dict[str, str], *, is_write: bool
) -> tuple[Attempt, bytes]:
    """Send a request on a connection of its own. Return how it ended, and the body of its response."""
    began, status, answer = time.monotonic(), 0, b""
    connection = HTTPConnection(place, timeout=TIMEOUT)
    try:
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        status, answer = response.status, response.read()
    except ConnectionRefusedError:
        status = REFUSED
    except (OSError, HTTPException):
        status = 0
    finally:
        connection.close()
    return Attempt(began, time.monotonic(), status, is_write), answer


def is_final(status: int, answer: bytes) -> bool:
    """Return whether a request need not be repeated with the same `Idempotency-Key`."""
    return 0 < status < 500 and not (status == 409 and b"idempotency_key_in_use" in answer)
