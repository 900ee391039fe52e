"""Run a request again after PostgreSQL has rolled its transaction back in favour of another."""

import asyncio
import random

import structlog
from fastapi import Request, Response
from sqlalchemy.exc import DBAPIError
from starlette.types import Message, Receive, Scope, Send

from goodword.db.database import TIMED_OUT
from goodword.db.statements import is_transaction_conflict
from goodword.web.request_context import route_of

RUNS = "runs"
"""Key in the state of a request: how often it has run."""
MAX_RUNS = 8
PAUSE = 0.05
"""Seconds at most before the second run. Each later pause can be twice as long."""

log = structlog.get_logger("goodword.request")


def response_after_conflict(request: Request, error: DBAPIError) -> Response | None:
    """Return a response that runs the request again, or None after another error or too many runs.

    Nothing of the transaction was committed. The new run reads everything again.
    """
    state = request.scope["state"]
    runs = state.get(RUNS, 1)
    if not is_transaction_conflict(error) or runs == MAX_RUNS or TIMED_OUT in state:
        return None
    state[RUNS] = runs + 1
    return _Rerun(request, PAUSE * 2 ** (runs - 1) * random.random())  # noqa: S311  not for security


class _Rerun(Response):
    def __init__(self, request: Request, pause: float) -> None:
        self._request, self._pause = request, pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._request.body()  # kept by the first run, if that read it
        await asyncio.sleep(self._pause)
        log.info("runs again after a conflict of transactions", route=route_of(scope))
        messages: list[Message] = [{"type": "http.request", "body": body}]

        async def receive_again() -> Message:
            return messages.pop() if messages else await receive()

        await self._request.app.router(scope, receive_again, send)
