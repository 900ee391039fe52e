"""Fixtures of a service with fake providers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from asgi import Client, client_of, run_due_jobs, running, settings_for
from goodword.app import create_app
from goodword.users import addresses, verifications
from goodword.users.models import Purpose, User
from people import Person, join
from providers.fake_providers import CLEARBIT_KEY, KEY, Services, serving


@pytest.fixture(scope="session")
def listening_services() -> Iterator[Services]:
    with serving() as services:
        yield services


@pytest.fixture
def services(listening_services: Services) -> Services:
    listening_services.reset()
    return listening_services


@pytest.fixture
async def node(app, database_url, clock, tmp_path, services) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """One more node on the same database, with these settings, and a client for it."""
    async with AsyncExitStack() as stack:

        async def make(*, clock: Any = clock, **settings: Any) -> tuple[FastAPI, Client]:
            keys = {"hunter_api_key": SecretStr(KEY), "clearbit_api_key": SecretStr(CLEARBIT_KEY)}
            urls = {"hunter_url": services.url, "clearbit_url": services.url}
            given = {**keys, **urls, "data_dir": tmp_path, **settings}
            made = create_app(settings_for(database_url, **given), clock=clock)
            await stack.enter_async_context(running(made))
            return made, await stack.enter_async_context(client_of(made))

        yield make


async def work(app: FastAPI, clock: Any, *, rounds: int = 1, **ahead: float) -> None:
    """Do what is due, and what that puts off, moving the clock forward each time."""
    for _ in range(rounds):
        await run_due_jobs(app)
        clock.forward(**ahead)


async def join_and_prove(app: FastAPI, api: Client, name: str, **fields: Any) -> Person:
    """Register a user with a verified address. The jobs of the registration still wait."""
    person = await join(api, name, **fields)
    async with app.state.services.database.transaction() as session:
        user = await session.get(User, UUID(person.id))
        token = await verifications.issue(
            session,
            user,
            Purpose.VERIFY_EMAIL,
            addresses.parse(person.email),
            job_id=uuid4(),
            keys=app.state.services.keys,
            now=app.state.services.clock(),
        )
    answer = await api.post("/api/v1/email-verifications/confirm", json={"token": token})
    assert answer.status_code == 204, answer.text
    return person
