"""Many requests at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from httpx2 import Response

Each = TypeVar("Each")
TRIES = 20


async def at_once(request: Callable[[Each], Awaitable[Response]], many: Iterable[Each]) -> list[Response]:
    """The answers to a request for each of many.

    A slow machine may tell some of a crowd to come back (503), and they do, as any good client would.
    """

    async def patient(each: Each) -> Response:
        for _ in range(TRIES):
            answer = await request(each)
            if answer.status_code != 503:
                break
        return answer

    return await asyncio.gather(*(patient(each) for each in many))
