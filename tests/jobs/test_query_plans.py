"""The statements of the worker find their rows by an index, however many rows the tables have."""

import uuid

import pytest

from goodword.jobs import service
from goodword.jobs.service import ClaimedJob
from goodword.retention import HANDLERS
from people import join
from query_plans import recorded, slow_parts


@pytest.fixture
def services(app):
    return app.state.services


def job(kind):
    return ClaimedJob(uuid.uuid4(), kind, {}, None, "me", 1)


@pytest.mark.parametrize("kind", HANDLERS)
async def test_expired_rows_are_found_by_an_index(api, services, clock, kind):
    await join(api, "alice")
    clock.forward(days=400)

    with recorded(services) as statements:
        await HANDLERS[kind](services, job(kind))

    assert statements
    assert await slow_parts(services, statements) == []


async def test_jobs_are_claimed_by_an_index(services, clock):
    with recorded(services) as statements:
        async with services.database.transaction() as session:
            service.enqueue(session, "greet", {}, now=clock())
        async with services.database.transaction() as session:
            first = await session.execute(service.first_due(("greet", "tidy")), {"now": clock()})
            work = await service.claim(session, "greet", worker_id="me", now=clock())
            assert await service.claim(session, "greet", worker_id="me", now=clock(), serial=True) is None
            await service.finish(session, work, now=clock())

    assert [at is None for at in first.one()] == [False, True]
    assert await slow_parts(services, statements) == []
