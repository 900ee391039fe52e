"""No more letters go out than may, however many ask at the same moment; and the period begins anew."""

import asyncio
from datetime import timedelta

import pytest

from goodword.mail import quotas
from goodword.mail.quotas import QuotaUsedUp

KEY = b"k" * 32
DAY = timedelta(days=1)


@pytest.fixture
def take(app, clock):
    async def take(_=None):
        try:
            async with app.state.services.database.transaction() as session:
                await quotas.take(session, KEY, "to", "somebody", limit=5, period=DAY, now=clock())
        except QuotaUsedUp:
            return False
        return True

    return take


async def test_a_crowd_gets_no_more_than_one_after_the_other(take, rows):
    assert await take()

    assert sum(await asyncio.gather(*map(take, range(20)))) == 4
    assert await rows("SELECT used FROM email_quotas") == [(5,)]


async def test_a_crowd_that_is_first_gets_no_more_either(take):
    assert sum(await asyncio.gather(*map(take, range(20)))) == 5


async def test_the_period_begins_anew_with_its_first_letter(take, clock):
    for _ in range(5):
        assert await take()
    clock.forward(hours=23, minutes=59)
    assert not await take()
    clock.forward(minutes=1)
    assert await take()


async def test_what_is_rolled_back_does_not_count(app, clock, take):
    async def fail():
        async with app.state.services.database.transaction() as session:
            await quotas.take(session, KEY, "to", "somebody", limit=5, period=DAY, now=clock())
            raise KeyError

    for _ in range(7):
        with pytest.raises(KeyError):
            await fail()
    assert await take()
