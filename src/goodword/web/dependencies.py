"""Shared dependencies of endpoints: database sessions and the clock."""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.services import services_of

T = TypeVar("T")


def from_parameters(create: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    """Return a dependency that creates an object, such as a dataclass, from the parameters of a request.

    FastAPI would call the class itself in a thread, which takes longer than to read fifty rows.
    """

    async def call(**values: Any) -> T:
        return create(**values)

    call.__signature__ = inspect.signature(create)  # type: ignore[attr-defined]
    return call


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Yield a session that commits when the endpoint returns, and rolls back when it raises.

    The transaction begins with the first statement, so slow work can precede it.
    """
    database = services_of(request).database
    async with database.transaction(request.scope["state"]) as session:
        yield session


# scope="function": the commit precedes the response, so a failed commit never has a 2xx response.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_reader(request: Request) -> AsyncIterator[AsyncSession]:
    """Yield a read-only session without a transaction or locks."""
    database = services_of(request).database
    async with database.readers() as session:
        yield session


Reader = Annotated[AsyncSession, Depends(get_reader, scope="function")]


# Asynchronous because FastAPI would call a plain function in a thread.
async def get_clock(request: Request) -> Callable[[], datetime]:
    return services_of(request).clock


# A function, so that code can read the time after it waited for a lock or a hash.
Clock = Annotated[Callable[[], datetime], Depends(get_clock)]
