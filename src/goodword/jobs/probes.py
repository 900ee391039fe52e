"""Answer about a worker over HTTP: `/livez`, `/readyz` and `/metrics`, as the service does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress

REQUEST_SECONDS = 5.0
MAX_REQUEST = 8192

Answer = tuple[str, str, bytes]
"""Status, content type and body."""
Scrape = Callable[[bytes, str], Answer]
"""Answers a request for the metrics, given its head and the address of the client."""


@asynccontextmanager
async def answering(port: int | None, is_waiting: Callable[[], bool], scrape: Scrape) -> AsyncIterator[None]:
    """Answer probes at the port during the block. The worker is not ready while `is_waiting`, but alive."""
    if port is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        errors = (
            OSError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        )  # OSError: TimeoutError too
        with closing(writer), suppress(*errors):
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                if request.startswith(b"GET /metrics "):
                    peer, *_ = writer.get_extra_info("peername")
                    answered = scrape(request, peer)
                else:
                    answered = _probe(request, is_waiting=is_waiting())
                writer.write(_response(*answered))
                await writer.drain()

    server = await asyncio.start_server(answer, port=port, limit=MAX_REQUEST)
    try:
        yield
    finally:
        server.close()


def _probe(request: bytes, *, is_waiting: bool) -> Answer:
    if request.startswith(b"GET /livez "):
        status, body = "200 OK", b'{"status":"ok"}'
    elif not request.startswith(b"GET /readyz "):
        status, body = "404 Not Found", b'{"status":"not_found"}'
    elif is_waiting:
        status, body = "503 Service Unavailable", b'{"status":"waiting_for_database"}'
    else:
        status, body = "200 OK", b'{"status":"ok"}'
    return status, "application/json", body


def _response(status: str, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + body
