"""The number of connections that a process accepts, and responses of the server itself."""

import json
import sys

from starlette.types import Receive, Scope, Send
from uuid_utils import uuid7

from goodword.errors import AppError
from goodword.web.problems import problem
from goodword.web.request_context import HEADERS
from goodword.web.request_errors import TooManyConnections

MAX_CONNECTIONS = 4096
RESERVED_FILES = 128


def connection_limit() -> int:
    """Return the maximum of connections, which needs twice as many file descriptors. Raises the soft limit."""
    if sys.platform == "win32":
        return 256
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MAX_CONNECTIONS + RESERVED_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(MAX_CONNECTIONS, (soft - RESERVED_FILES) // 2))


def response_of(error: AppError) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the header fields and the body of a problem document for a request that no application handles."""
    request_id = str(uuid7())
    body = json.dumps(problem(error, request_id)).encode()
    headers = {"content-type": "application/problem+json", "content-length": str(len(body))}
    headers |= {"connection": "close", "x-request-id": request_id, **HEADERS, **error.headers}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()], body


async def refuse_connection(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Respond with 503 on a connection over the limit. Accepted connections stay open."""
    error = TooManyConnections()
    headers, body = response_of(error)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
