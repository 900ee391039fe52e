"""Answer the probes of an orchestrator about a worker, over HTTP: `/livez` and `/readyz`, as the service does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

REQUEST_SECONDS = 5.0
MAX_REQUEST = 8192


@asynccontextmanager
async def answering(port: int | None, is_waiting: Callable[[], bool]) -> AsyncIterator[None]:
    """Answer probes at the port during the block. The worker is not ready while `is_waiting`, but alive."""
    if port is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):  # and TimeoutError
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(request, is_waiting=is_waiting()))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, port=port, limit=MAX_REQUEST)
    try:
        yield
    finally:
        server.close()


def _response(request: bytes, *, is_waiting: bool) -> bytes:
    if request.startswith(b"GET /livez "):
        status, body = "200 OK", b'{"status":"ok"}'
    elif not request.startswith(b"GET /readyz "):
        status, body = "404 Not Found", b'{"status":"not_found"}'
    elif is_waiting:
        status, body = "503 Service Unavailable", b'{"status":"waiting_for_database"}'
    else:
        status, body = "200 OK", b'{"status":"ok"}'
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + body
