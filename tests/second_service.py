"""A service beside the shared one, on the same database: with settings of its own, or a clock that stands."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from asgi import Client, client_of, running, settings_for
from goodword.app import create_app
from goodword.clock import utc_now
from people import Person


class StoppedClock:
    """A time that passes only when a test sets `now`."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def second_service(
    url: str, *, clock: Callable[[], datetime] = utc_now, **settings: Any
) -> AsyncIterator[Client]:
    """Yield a client of the service. The test needs `api` or a person too, which empty the database afterwards."""
    async with running(create_app(settings_for(url, **settings), clock=clock)) as app, client_of(app) as api:
        yield api


@asynccontextmanager
async def stopped_at(now: datetime, person: Person, url: str) -> AsyncIterator[Person]:
    """Yield the person, signed in to a second service whose clock is stopped at `now`."""
    async with second_service(url, clock=StoppedClock(now)) as api:
        there = replace(person, api=api)
        await there.sign_in()
        yield there
