"""Measure the CPU time that the middleware adds to a request, without a server."""

import statistics
import time
from typing import Any

import uvloop
from pydantic import SecretStr
from starlette.responses import Response

from goodword.composition import build_services
from goodword.config.settings import Settings
from goodword.web.middleware import RequestMiddleware

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
    scope |= {"query_string": b"limit=20", "headers": HEADERS, "client": ("127.0.0.1", 1)}
    began = time.process_time()
    for _ in range(REQUESTS):
        await app(scope | {"state": {}}, receive, send)
    return (time.process_time() - began) / REQUESTS * 1e6


async def main() -> None:
    settings = Settings(
        database_url=SecretStr("sqlite+aiosqlite:///none"),
        secret_key=SecretStr("x" * 40),
        log_requests="changes",
        limits=("requests=100000000/minute",),
    )
    middleware = RequestMiddleware(
        bare,
        services=build_services(settings),
        respond=lambda _request, _error: Response(),
        warm_answer=lambda _scope: None,
        may_match=lambda _scope: True,
        limits={},
    )
    differences = [await cost(middleware) - await cost(bare) for _ in range(ROUNDS)]
    print(f"The middleware takes {statistics.median(differences):.1f} µs a request.")


if __name__ == "__main__":
    uvloop.run(main())
