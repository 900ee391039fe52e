"""The service is killed while events come: after a restart each has been processed exactly once."""

import asyncio
import signal

from httpx2 import AsyncClient, HTTPError

from asgi import SECRET
from rewards.conftest import good
from rewards.test_mixed_batches import item
from rewards.test_reward_races import check_sums, referees
from serving import serving

EVENTS = 40


async def test_e78_a_kill_between_event_and_reward_leaves_both_or_none(shop, database_url, tmp_path, rows):
    await shop.rule(cap={"count": 30, "per": "ever"})
    await shop.rule(beneficiary="referee", amount_minor=300)
    await referees(shop, 8)
    events = [item(shop, f"order-{n}", f"bob-{n % 8}") for n in range(EVENTS)]
    answered = []
    settings = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "RATE_LIMITS": "off"}

    with serving(tmp_path, **settings) as served:
        async with AsyncClient(
            base_url=served.url, headers={"Authorization": f"Bearer {shop.key}"}
        ) as client:

            async def report(part):
                for event in part:
                    try:
                        answer = await client.post("/api/v1/events", json=event)
                    except HTTPError:
                        return
                    answered.append(good(answer, 201)["id"])
                    if len(answered) == EVENTS // 3:
                        served.process.send_signal(signal.SIGKILL)
                        served.process.wait()

            await asyncio.gather(*(report(events[n::4]) for n in range(4)))

    half = """
        SELECT e.source_id FROM events e LEFT JOIN rewards r ON r.event_id = e.id
        WHERE e.type = 'purchase' GROUP BY e.source_id HAVING count(r.id) <> 2
    """
    assert await rows(half) == []
    known = {name for (name,) in await rows("SELECT source_id FROM events WHERE type = 'purchase'")}
    assert set(answered) <= known
    assert len(known) < EVENTS

    for event in events:
        answer = await shop.call("POST", "/api/v1/events", json=event)
        assert answer.status_code == (200 if event["id"] in known else 201)

    assert await rows(
        "SELECT beneficiary, count(*) FROM rewards GROUP BY beneficiary ORDER BY beneficiary"
    ) == [
        ("referee", 40),
        ("referrer", 30),
    ]
    await check_sums(rows)
