"""PostgreSQL restarts, throws us out, has no room: 503 that says when to come back, and then all is well."""

import asyncio

import asyncpg
import pytest

from asgi import client_of, running, settings_for
from goodword import migrations
from goodword.app import create_app
from people import join
from servers import postgres_server


@pytest.fixture
async def server():
    """A PostgreSQL of its own, with few connections."""
    with postgres_server("-c", "max_connections=30") as found:
        await migrations.upgrade(found.url)
        yield found.url.replace("+asyncpg", "")


@pytest.fixture
async def service(server):
    settings = settings_for(server.replace("postgresql", "postgresql+asyncpg"), cache="off")
    async with running(create_app(settings)) as app, client_of(app) as client:
        yield client


async def take_the_rest(server):
    """All connections that are left."""
    taken = []
    while True:
        try:
            taken.append(await asyncpg.connect(server))
        except asyncpg.TooManyConnectionsError:
            return taken


async def ask(api, person):
    """One read by the driver, one by the toolkit, one write."""
    answers = await asyncio.gather(
        api.get("/api/v1/referral-codes/UNKNOWN-CODE"),
        person.get("/api/v1/me"),
        person.patch("/api/v1/me", {}),
    )
    return [answer.status_code for answer in answers]


async def test_whoever_was_thrown_out_comes_back_unnoticed(server, service):
    alice = await join(service, "alice")
    assert await ask(service, alice) == [404, 200, 200]
    operator = await asyncpg.connect(server)
    for _ in range(3):
        await operator.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'goodword'"
        )
        await asyncio.sleep(0.1)  # the driver has heard of it

        assert await ask(service, alice) == [404, 200, 200]
    await operator.close()


async def test_without_room_for_a_connection_it_is_unavailable_and_then_well(server, service):
    alice = await join(service, "alice")
    others = await take_the_rest(server)
    await others[0].fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'goodword'"
    )
    others += await take_the_rest(server)

    refused = await service.get("/api/v1/referral-codes/UNKNOWN-CODE")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused.headers["retry-after"] == "1"
    assert await ask(service, alice) == [503, 503, 503]

    for other in others:
        await other.close()
    assert await ask(service, alice) == [404, 200, 200]
