"""Replays of several callers at the same time."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from concurrency import at_once
from goodword.webhooks import deliveries

FAILED, OTHERS = 6, 4
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
WAITING = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")


async def endpoint_with_failures(webhooks, receiver, deliver):
    """Create an endpoint, all of whose deliveries have failed."""
    made = await webhooks.create(url=receiver.url)
    for _ in range(FAILED):
        await webhooks.call("POST", f"/{made['id']}/test")
    receiver.usual = 410
    await deliver()
    await webhooks.call("PATCH", f"/{made['id']}", {"status": "enabled"})
    receiver.usual = 200
    receiver.got.clear()
    return made


async def until_waiting(app, callers):
    """Wait until so many callers wait for locks."""
    async with asyncio.timeout(20):
        waiting = 0
        while waiting < callers:
            async with app.state.services.database.transaction() as session:
                waiting = await session.scalar(WAITING)


@pytest.mark.parametrize("database_kind", ["postgres"], scope="session")
async def test_a_range_that_many_replay_at_once_is_sent_once(app, webhooks, receiver, deliver):
    made = await endpoint_with_failures(webhooks, receiver, deliver)
    body = {"since": BEGIN.isoformat(), "only_failed": False}
    services = app.state.services

    async with services.database.transaction() as session:
        first, _ = await deliveries.replay_range(
            session,
            uuid.UUID(made["id"]),
            since=BEGIN,
            until=services.clock(),
            only_failed=True,
            within=None,
            now=services.clock(),
        )
        others = [
            asyncio.create_task(webhooks.call("POST", f"/{made['id']}/replay", body)) for _ in range(OTHERS)
        ]
        await until_waiting(app, OTHERS)
    answers = await asyncio.gather(*others)
    await deliver()

    assert first == FAILED
    assert [answer.json()["deliveries"] for answer in answers] == [0] * OTHERS
    assert len(receiver.got) == len({one.id for one in receiver.got}) == FAILED


async def test_a_delivery_that_many_replay_at_once_is_sent_once(api, webhooks, receiver, deliver):
    made = await endpoint_with_failures(webhooks, receiver, deliver)
    first, *_ = (await webhooks.call("GET", f"/{made['id']}/deliveries")).json()["items"]
    path = f"/api/v1/webhook-deliveries/{first['id']}/replay"
    headers = {"Authorization": f"Bearer {webhooks.key}"}

    answers = await at_once(lambda _: api.post(path, headers=headers), range(12))
    await deliver()

    assert [answer.json()["status"] for answer in answers] == ["pending"] * 12
    assert [one.id for one in receiver.got] == [first["event_id"]]
