"""A quota is exact: concurrent requests do not exceed it, and its period begins with the first use."""

import asyncio
from datetime import timedelta

import pytest

from goodword.rate_limits import quotas
from goodword.rate_limits.quotas import QuotaExceeded

KEY = b"k" * 32
DAY = timedelta(days=1)


@pytest.fixture
def take(app, clock):
    async def take(_=None):
        try:
            async with app.state.services.database.transaction() as session:
                await quotas.take(session, KEY, "to", "one", limit=5, period=DAY, now=clock())
        except QuotaExceeded:
            return False
        return True

    return take


async def test_concurrent_uses_do_not_exceed_a_quota(take, rows):
    assert await take()

    assert sum(await asyncio.gather(*map(take, range(20)))) == 4
    assert await rows("SELECT used FROM quotas") == [(5,)]


async def test_concurrent_first_uses_do_not_exceed_a_quota(take):
    assert sum(await asyncio.gather(*map(take, range(20)))) == 5


async def test_the_period_begins_with_the_first_use(take, clock):
    for _ in range(5):
        assert await take()
    clock.forward(hours=23, minutes=59)
    assert not await take()
    clock.forward(minutes=1)
    assert await take()


async def test_a_use_that_is_rolled_back_does_not_count(app, clock, take):
    async def fail():
        async with app.state.services.database.transaction() as session:
            await quotas.take(session, KEY, "to", "one", limit=5, period=DAY, now=clock())
            raise KeyError

    for _ in range(7):
        with pytest.raises(KeyError):
            await fail()
    assert await take()


async def test_forget_deletes_the_counts_of_the_scopes(app, clock, take):
    for _ in range(5):
        await take()
    async with app.state.services.database.transaction() as session:
        await quotas.take(session, KEY, "to", "another", limit=5, period=DAY, now=clock())
        await quotas.forget(session, KEY, [("to", "one")])
        found = await quotas.find(session, KEY, [("to", "one"), ("to", "another")])

    assert [row and row.used for row in found] == [None, 1]
    assert await take()
