"""Events, deliveries and attempts are deleted after 30 days, unless a delivery still waits."""

import pytest

from goodword.jobs import service as jobs
from people import register

TABLES = ("webhook_events", "webhook_deliveries", "webhook_attempts", "webhook_endpoints")


@pytest.fixture
def purge(app, deliver):
    """Do the jobs that are due, with the one that deletes."""

    async def run():
        services = app.state.services
        async with services.database.transaction() as session:
            jobs.enqueue(session, "purge_webhooks", {}, now=services.clock())
        await deliver()

    return run


async def counts(rows):
    return [(await rows(f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES]


async def test_they_are_deleted_after_30_days(api, webhooks, receiver, deliver, purge, rows, clock):
    made = await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    await deliver()
    await webhooks.call("DELETE", f"/{made['id']}")
    clock.forward(days=29)
    await purge()
    assert await counts(rows) == [1, 1, 1, 1]

    clock.forward(days=2)
    await purge()

    assert await counts(rows) == [0, 0, 0, 0]
    assert await rows("SELECT last FROM webhook_sequences") == [(1,)], "the next event continues"


async def test_what_waits_is_kept(api, webhooks, receiver, purge, rows, clock):
    await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    clock.forward(days=31)
    receiver.usual = 500

    await purge()

    assert await counts(rows) == [1, 1, 1, 1]
