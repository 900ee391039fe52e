"""A server that receives webhooks, and misbehaves as it is told."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from asgi import replaced
from goodword.outbound.guarded_client import GuardedClient, IsAllowed, Resolve
from goodword.webhooks import targets

HOST = "receiver.example"
HANG, RESET, CLOSE, BIG = "hang", "reset", "close", "big"


@dataclass
class Received:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:
        return Webhook(secret).verify(self.body, self.headers)

    def is_signed_by(self, secret: str) -> bool:
        try:
            self.verify(secret)
        except WebhookVerificationError:
            return False
        return True


@dataclass
class Receiver:
    """Answers with the next of `answers`, or else with `usual`: a status, a way to misbehave, or bytes."""

    usual: int | str | bytes = 200
    answers: list[int | str | bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Received] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    closes_after_bytes: bool = True
    open: dict[Any, asyncio.StreamWriter] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{HOST}:{self.port}/hooks"

    @property
    def kinds(self) -> list[str]:
        return [one.json["type"] for one in self.got]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open[asyncio.current_task()] = writer
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def close(self) -> None:
        for writer in self.open.values():
            writer.transport.abort()
        await asyncio.gather(*self.open, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        begin = await reader.readexactly(1)
        if begin == b"\x16":  # a TLS handshake
            writer.write(b"no TLS here\r\n")
            return False
        head = (begin + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        self.got.append(Received(first.split()[1], headers, body))
        answer = self.answers.pop(0) if self.answers else self.usual
        if answer == HANG:
            await reader.read()  # until the client gives up
            return False
        if answer == RESET:
            linger = struct.pack("ii", 1, 0)  # close with RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        if answer == CLOSE:
            return False
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return not self.closes_after_bytes
        size = 10_000_000 if answer == BIG else 0
        status = 200 if answer == BIG else answer
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\n{extra}\r\n".encode())
        if status == 204 or not size:
            await writer.drain()
            return True
        for _ in range(size // 100_000):
            writer.write(b"x" * 100_000)
            await writer.drain()
        return True


@asynccontextmanager
async def receiving(*, tls: ssl.SSLContext | None = None, **behaviour: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(**behaviour)
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    receiver.scheme = "https" if tls else "http"
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()


def resolve_here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def allows_loopback(address: Any) -> bool:
    return targets.is_allowed(address, loopback=True)


@contextmanager
def sending(
    app: FastAPI, *, allowed: IsAllowed = allows_loopback, resolve: Resolve = resolve_here
) -> Iterator[GuardedClient]:
    """Let the app send to receivers of this test, whose names lead to this machine."""
    client = GuardedClient(allowed, resolve=resolve)
    with replaced(app, webhook_client=client):
        yield client
