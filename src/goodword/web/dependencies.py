"""Dependencies that endpoints share: the session of the request, and the clock."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.services import services_of


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """One request, one transaction: commit when the endpoint returns, roll back when it raises.

    Nothing is begun before the first statement, so what is slow can come before it.
    """
    database = services_of(request).database
    async with database.transaction(request.scope["state"]) as session:
        yield session


# scope="function": the commit comes before the answer leaves, so that a failed commit is never a 2xx.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_reader(request: Request) -> AsyncIterator[AsyncSession]:
    """A session for looking only: every statement on its own, no transaction, no lock."""
    database = services_of(request).database
    async with database.readers() as session:
        yield session


Reader = Annotated[AsyncSession, Depends(get_reader, scope="function")]


# Asynchronous, though it waits for nothing: FastAPI would call a plain function in a thread.
async def get_clock(request: Request) -> Callable[[], datetime]:
    return services_of(request).clock


# A function, not the time itself: who waits for a lock or a hash asks for the time after it.
Clock = Annotated[Callable[[], datetime], Depends(get_clock)]
