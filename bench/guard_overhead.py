"""Measure the CPU time that the guard adds to a request, without a server."""

import asyncio
import statistics
import time
from typing import Any

import uvloop
from starlette.responses import Response

from goodword.web.guard import RequestGuard

HEADERS = [(f"x-field-{number}".encode(), b"x" * 40) for number in range(14)]
HEADERS += [(b"host", b"127.0.0.1:8000"), (b"authorization", b"Bearer " + b"x" * 600)]
ROUNDS, REQUESTS = 15, 5_000


async def bare(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(_message: Any) -> None:
    pass


async def cost(app: Any) -> float:
    """Return the microseconds per request."""
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/api/v1/me", "raw_path": b"/api/v1/me"}
    scope |= {"query_string": b"limit=20", "headers": HEADERS, "state": {}}
    began = time.process_time()
    for _ in range(REQUESTS):
        await app(dict(scope), receive, send)
    return (time.process_time() - began) / REQUESTS * 1e6


async def main() -> None:
    guarded = RequestGuard(
        bare,
        respond=lambda _request, _error: Response(),
        hosts=frozenset({b"127.0.0.1"}),
        waiting=asyncio.Event(),
    )
    differences = [await cost(guarded) - await cost(bare) for _ in range(ROUNDS)]
    print(f"The guard takes {statistics.median(differences):.1f} µs a request.")


if __name__ == "__main__":
    uvloop.run(main())
