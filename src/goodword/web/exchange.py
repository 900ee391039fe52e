"""A request and its response, as the middleware passes them between the server and the application."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from starlette.types import Message, Receive, Scope, Send

from goodword.errors import AppError, BodyTooLarge
from goodword.rate_limits import limiter
from goodword.web.cors import Cors
from goodword.web.request_context import IS_HEAD
from goodword.web.request_errors import BodyTooSlow

MAX_BODY = 64 * 1024
DRAIN_SECONDS = 1.0
DRAIN_BYTES = 1024 * 1024
"""Limits of what is read after an early response. A client may lose a response if the server closes while it sends."""


class Exchange:
    """Limits the size and duration of the body of a request, and adds the standard headers to its response.

    The response to HEAD has no body.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: Sequence[tuple[bytes, bytes]],
        cors: Cors | None,
    ) -> None:
        self._receive, self._send, self._headers, self._cors = receive, send, headers, cors
        self._drops_body = scope["method"] == "HEAD"
        # A copy: uvicorn needs the original method.
        self.scope = {**scope, "method": "GET"} if self._drops_body else scope
        if self._drops_body:
            scope["state"][IS_HEAD] = True
        self.status = 0
        self.response_started = self.timed_out = self.aborted = self.progressed = False
        self.timer: asyncio.TimerHandle
        self.timeout_reply: asyncio.Task[None] | None = None
        self.task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.refusal: AppError | None = None
        self._more_body, self._body_size, self._body_deadline = False, 0, 0.0

    def expect_body(self, seconds: float) -> None:
        """Allow so many seconds for the body."""
        self._more_body = True
        self._body_deadline = asyncio.get_running_loop().time() + seconds

    def refuse_body(self) -> AppError:
        """Return the error of a body that is too large. The connection is closed after part of it is read."""
        self.refusal = BodyTooLarge(headers={"Connection": "close"})
        return self.refusal

    async def receive(self) -> Message:
        if not self._more_body:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._body_deadline):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow(headers={"Connection": "close"}) from None
        self._more_body = message.get("more_body", False)
        self._body_size += len(message.get("body", b""))
        if self._body_size > MAX_BODY:
            raise self.refuse_body()
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the response of the application, unless a timeout was sent in its place."""
        if not self.timed_out:
            await self.forward(message)

    async def forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message)
        elif message["type"] == "http.response.body":
            if self._drops_body:
                message = {**message, "body": b""}
            if self.refusal and self._more_body and not message.get("more_body"):
                self.refusal.__traceback__ = None  # its frames refer to the part of the body already read
                await self._send({**message, "more_body": True})
                await self._drain()
                message = {"type": "http.response.body"}
        await self._send(message)
        self.progressed = self.response_started

    async def send_json(self, content: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]
        await self.forward({"type": "http.response.start", "status": 200, "headers": headers})
        await self.forward({"type": "http.response.body", "body": content})

    def _begin(self, message: Message) -> None:
        self.response_started = True
        if self._cors is not None and self._cors.add_headers(self.scope, message):
            self._drops_body = True
        self.status = message["status"]
        given = message["headers"]
        names = {name for name, _ in given}
        ours = [header for header in self._headers if header[0] not in names]
        limit = limiter.headers(self.scope, self.status)
        request_id: str = self.scope["state"]["request_id"]
        message["headers"] = [*given, *ours, *limit, (b"x-request-id", request_id.encode())]

    async def _drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                more, read = True, 0
                while more and read < DRAIN_BYTES:
                    message = await self._receive()
                    more = message.get("more_body", False)
                    read += len(message.get("body", b""))
