"""Send a request whose body arrives in two halves, with another action in between."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import FastAPI


async def send_in_two_parts(
    app: FastAPI,
    method: str,
    path: str,
    *,
    headers: dict[str, str],
    body: bytes,
    meanwhile: Callable[[], Awaitable[None]],
) -> int:
    """Send the head and half of the body, do `meanwhile`, and send the rest. Returns the status.

    A request without a body is sent after `meanwhile`.
    """
    stopped, goes_on, sent, status = asyncio.Event(), asyncio.Event(), 0, 0

    async def receive():
        nonlocal sent
        sent += 1
        if sent == 1:
            return {"type": "http.request", "body": body[: len(body) // 2], "more_body": bool(body)}
        stopped.set()
        await goes_on.wait()
        if sent == 2:
            return {"type": "http.request", "body": body[len(body) // 2 :], "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message):
        nonlocal status
        status = message.get("status", status)

    length = {"content-length": str(len(body))} if body else {}
    named = {"host": "127.0.0.1:8000", **length, **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 54321),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    if not body:
        await meanwhile()
        goes_on.set()
    request = asyncio.create_task(app(scope, receive, send))
    if body:
        await asyncio.wait_for(stopped.wait(), 20)
        await meanwhile()
        goes_on.set()
    await request
    return status
