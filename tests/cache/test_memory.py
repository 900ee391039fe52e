"""The memory of a process keeps no more than it can use again."""

import gc
import math
import weakref

import pytest

from asgi import client_of, running, settings_for
from goodword import migrations
from goodword.app import create_app
from goodword.cache.memory import CacheEntry, InvalidationTable, LocalCache
from goodword.clock import utc_now
from goodword.sessions.tokens import Claims
from people import join


class Value:
    pass


@pytest.mark.parametrize(("seconds", "until"), [(0, math.inf), (math.inf, 0)])
async def test_outdated_entries_leave_the_memory(seconds, until):
    cache = LocalCache(InvalidationTable(), utc_now, seconds=seconds)
    kept: weakref.WeakSet[Value] = weakref.WeakSet()

    async def look_up():
        value = Value()
        kept.add(value)
        return CacheEntry(value, until)

    for number in range(100):
        await cache.get(f"name {number}", look_up, invalidated_by="all")
    assert len(kept) == 1


async def test_entries_that_are_good_stay():
    cache = LocalCache(InvalidationTable(), utc_now, seconds=math.inf)

    async def look_up():
        return CacheEntry("value", math.inf)

    for number in range(100):
        await cache.get(f"name {number}", look_up, invalidated_by="all")
    assert all(cache.peek(f"name {number}") == "value" for number in range(100))


async def test_expired_tokens_leave_the_memory(tmp_path, clock):
    settings = settings_for(f"sqlite+aiosqlite:///{tmp_path}/goodword.sqlite3", data_dir=tmp_path)
    await migrations.upgrade(settings.database)
    async with running(create_app(settings, clock=clock)) as app, client_of(app) as api:
        alice = await join(api, "alice")
        await alice.get("/api/v1/me")
        clock.forward(seconds=settings.access_token_lifetime)
        bob = await join(api, "bob")
        await bob.get("/api/v1/me")

    users = {str(claims.user_id) for claims in gc.get_objects() if isinstance(claims, Claims)}
    assert (alice.id in users, bob.id in users) == (False, True)
