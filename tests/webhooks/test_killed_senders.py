"""E87: a worker that dies between a request and its record repeats it, and a slow endpoint delays itself alone."""

import asyncio

from goodword.composition import build_worker
from people import register
from webhooks.killed_senders import send_all
from webhooks.receivers import HANG, receiving

DELIVERY = "SELECT status, attempt FROM webhook_deliveries"


async def test_e87_a_worker_that_dies_after_a_request_repeats_it(
    app, api, webhooks, receiver, deliver, rows, clock
):
    await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    receiver.usual = HANG  # it has received the request, and the worker does not learn it
    dying = asyncio.create_task(build_worker(app.state.services).run_due())
    async with asyncio.timeout(30):
        while not receiver.got:  # noqa: ASYNC110  it is read as well as waited for
            await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    receiver.usual = 200

    await deliver()
    assert len(receiver.got) == 1, "another worker waits for the lease"
    clock.forward(seconds=61)
    await deliver()

    first, second = receiver.got
    assert first.id == second.id
    assert await rows(DELIVERY) == [("succeeded", 1)]


async def test_a_slow_endpoint_does_not_delay_another(app, api, webhooks, receiver):
    async with receiving(usual=HANG) as slow:
        for _ in range(6):  # more than a worker runs of other jobs
            await webhooks.create("user.created", url=slow.url)
        await webhooks.create("user.created", url=receiver.url)
        await register(api, "carol")

        async with build_worker(app.state.services).running(), asyncio.timeout(8):
            while not (receiver.got and len(slow.got) == 6):  # noqa: ASYNC110  it is read as well as waited for
                await asyncio.sleep(0.01)
            await slow.close()

    assert len(receiver.got) == 1


async def test_e87_nothing_is_lost_when_workers_are_killed(app, database_url, tmp_path):
    found = await send_all(database_url, tmp_path, events=250, kills=3)

    assert (found.lost, found.changed, found.unordered) == (0, 0, 0)
    assert found.again > 0, "a kill fell between a request and its record"
