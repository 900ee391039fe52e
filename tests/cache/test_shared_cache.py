"""Redis or Valkey behind the memory of each node: what it holds, and what it may say without being believed."""

import asyncio
import math
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from asgi import settings_for
from goodword.cache.memory import CacheEntry
from goodword.composition import build_services, close_services
from goodword.db.transaction_hooks import invalidate
from people import make_code
from second_service import second_service

pytestmark = pytest.mark.one_database

FIND = "/api/v1/referral-codes"


@pytest.fixture
async def nodes(database_url, valkey_url, api):
    """Makes nodes that share one Valkey and one database: for each, its database and its cache."""
    async with AsyncExitStack() as running:

        async def start(count):
            # All are built before the first one follows: it must not miss a poll while the event loop builds others.
            built = [build_services(settings_for(database_url, redis_url=valkey_url)) for _ in range(count)]
            for services in built:
                running.push_async_callback(close_services, services)
            for services in built:
                await running.enter_async_context(services.cache.following())
            return [(services.database, services.cache) for services in built]

        yield start


def answering(value, *, until=math.inf):
    """A look-up that finds this."""

    async def look_up():
        return CacheEntry(value, until)

    return look_up


async def never():
    raise AssertionError("it was there to be found")


async def test_what_one_node_found_another_finds_without_the_database(nodes):
    (_, here), (_, there) = await nodes(2)

    assert await here.get("code:A", answering(b"found")) == b"found"

    assert await there.get("code:A", never) == b"found"


async def test_a_reader_from_before_a_change_cannot_put_the_old_answer_back(nodes):
    (database, here), (_, there), (_, later) = await nodes(3)
    reading, changed = asyncio.Event(), asyncio.Event()

    async def slowly():
        reading.set()
        await changed.wait()
        return CacheEntry(b"old", math.inf)

    slow = asyncio.create_task(there.get("code:A", slowly))
    await reading.wait()
    async with database.transaction() as session:
        invalidate(session, "code:A")
    changed.set()
    await slow

    assert await here.get("code:A", answering(b"new")) == b"new"
    assert await later.get("code:A", answering(b"new")) == b"new"


async def test_a_reader_in_the_middle_of_a_change_cannot_leave_the_old_answer_behind(nodes):
    (database, here), (_, there), (_, later) = await nodes(3)
    async with database.sessions.begin() as session:
        # What `transaction` does before the commit, and a reader then, who still sees the old row.
        await here.before_commit(session, ["code:A"])
        assert await there.get("code:A", answering(b"old")) == b"old"
        await asyncio.sleep(0.3)  # the news of it is heard before the commit

    assert await later.get("code:A", answering(b"new")) == b"new"
    await asyncio.sleep(0.6)
    assert await there.get("code:A", answering(b"new")) == b"new"


async def test_a_change_that_was_rolled_back_changes_nothing(nodes):
    (database, here), (_, later) = await nodes(2)
    await here.get("code:A", answering(b"found"))

    async def fail():
        async with database.transaction() as session:
            invalidate(session, "code:A")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await here.get("code:A", never) == b"found"
    assert await later.get("code:A", never) == b"found"


async def test_many_who_ask_for_one_cause_one_look_up(nodes):
    [(_, cache)] = await nodes(1)
    looked_up = []

    async def look_up():
        looked_up.append(1)
        await asyncio.sleep(0.05)
        return CacheEntry(b"found", math.inf)

    answers = await asyncio.gather(*(cache.get("code:A", look_up) for _ in range(200)))

    assert set(answers) == {b"found"}
    assert len(looked_up) == 1


async def test_one_who_goes_away_takes_nothing_from_those_who_wait(nodes):
    [(_, cache)] = await nodes(1)
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def look_up():
        looking.set()
        await go_on.wait()
        return CacheEntry(b"found", math.inf)

    first = asyncio.create_task(cache.get("code:A", look_up))
    await looking.wait()
    second = asyncio.create_task(cache.get("code:A", never))
    await asyncio.sleep(0)
    first.cancel()
    go_on.set()

    assert await second == b"found"


async def test_a_failure_is_not_remembered(nodes):
    [(_, cache)] = await nodes(1)

    async def fail():
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await cache.get("code:A", fail)

    assert await cache.get("code:A", answering(b"found")) == b"found"


async def test_whoever_asks_after_a_change_does_not_wait_for_a_look_up_from_before_it(nodes):
    [(database, cache)] = await nodes(1)
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def slowly():
        looking.set()
        await go_on.wait()
        return CacheEntry(b"old", math.inf)

    slow = asyncio.create_task(cache.get("code:A", slowly))
    await looking.wait()
    async with database.transaction() as session:
        invalidate(session, "code:A")

    assert await cache.get("code:A", answering(b"new")) == b"new"
    go_on.set()
    assert await slow == b"old"
    assert await cache.get("code:A", never) == b"new"


async def garbage(redis, key):
    await redis.set(key, b"garbage")


async def nothing(redis, key):
    await redis.set(key, b"")


async def another_type(redis, key):
    await redis.delete(key)
    await redis.rpush(key, b"a", b"list")


async def cut(redis, key):
    await redis.set(key, (await redis.get(key))[:-1])


async def edited(redis, key):
    await redis.set(key, (await redis.get(key)).replace(b"Alice", b"Malik"))


async def swapped(redis, key):
    keys = await redis.keys("goodword:answer:*")
    other = next(found for found in keys if found != key)
    await redis.set(key, await redis.get(other))


async def expired(redis, key):
    value = await redis.get(key)
    await redis.set(key, value[:16] + (1).to_bytes(8) + value[24:])


@pytest.mark.parametrize("poison", [garbage, nothing, another_type, cut, edited, swapped, expired])
async def test_what_we_did_not_write_is_ignored_and_replaced(
    database_url, api, alice, redis, valkey_url, poison
):
    code = (await make_code(alice))["code"]
    async with second_service(database_url, redis_url=valkey_url) as node:
        right = (await node.get(f"{FIND}/{code}")).text
        [key] = await redis.keys("goodword:answer:*")
        written = await redis.get(key)
        await node.get(f"{FIND}/by-email", params={"email": alice.email})
    await poison(redis, key)

    async with second_service(database_url, redis_url=valkey_url) as node:
        assert (await node.get(f"{FIND}/{code}")).text == right
    assert (await redis.get(key))[24:] == written[24:]


async def test_an_answer_of_another_release_is_ignored_and_replaced(
    database_url, api, alice, redis, valkey_url, monkeypatch
):
    code = (await make_code(alice))["code"]
    with monkeypatch.context() as older:
        older.setattr("goodword.cache.redis_cache.__version__", "0.0.1")
        async with second_service(database_url, redis_url=valkey_url) as node:
            await node.get(f"{FIND}/{code}")
    [key] = await redis.keys("goodword:answer:*")
    written = await redis.get(key)

    async with second_service(database_url, redis_url=valkey_url) as node:
        assert (await node.get(f"{FIND}/{code}")).json()["code"] == code
    assert (await redis.get(key))[:16] != written[:16]


async def test_nobody_can_read_addresses_or_codes_from_its_keys(database_url, api, alice, redis, valkey_url):
    await make_code(alice, code="ALICE-2030")
    async with second_service(database_url, redis_url=valkey_url) as node:
        await node.get(f"{FIND}/by-email", params={"email": alice.email})
        await node.get(f"{FIND}/ALICE-2030")

    keys = b" ".join(await redis.keys("goodword:answer:*")).lower()
    assert keys.count(b"goodword:") == 2
    assert b"alice" not in keys


async def test_no_trace_of_the_erased_is_left_there(database_url, api, alice, redis, valkey_url):
    await make_code(alice, code="ALICE-2030")
    async with second_service(database_url, redis_url=valkey_url) as node:
        await node.get(f"{FIND}/by-email", params={"email": alice.email})
        await node.get(f"{FIND}/ALICE-2030")
        alice.api = node
        await alice.call("DELETE", "/api/v1/me", json={"password": alice.password})
    alice.api = api

    kept = b" ".join([await redis.get(key) for key in await redis.keys("goodword:answer:*")])
    assert b"Alice" not in kept
    assert b"ALICE" not in kept


async def test_nothing_outlives_its_time_there(database_url, api, alice, redis, valkey_url):
    await make_code(alice, lifetime=60, code="SOON-OVER")
    async with second_service(database_url, redis_url=valkey_url) as node:
        for words in ("SOON-OVER", "UNKNOWN-CODE"):
            await node.get(f"{FIND}/{words}")

    for key in await redis.keys("goodword:answer:*"):
        assert 0 < await redis.ttl(key) <= 60


async def test_an_answer_about_to_end_is_not_kept_there(nodes, redis):
    [(_, cache)] = await nodes(1)
    await cache.get("code:A", answering(b"found", until=datetime.now(UTC).timestamp() + 3))

    assert await redis.keys("goodword:answer:*") == []


async def test_the_epoch_empties_it_for_everyone(nodes):
    (database, here), (_, later) = await nodes(2)
    await here.get("code:A", answering(b"old"))

    async with database.transaction() as session:
        await session.execute(text("UPDATE cache_epoch SET id = :id"), {"id": "0" * 32})
    await asyncio.sleep(0.9)

    assert await later.get("code:A", answering(b"new")) == b"new"


async def test_an_answer_is_good_until_there_is_news_of_it(nodes):
    (database, here), (_, there) = await nodes(2)
    for name in ("code:A", "code:B"):
        assert await there.get(name, answering(b"old")) == b"old"
    await asyncio.sleep(0.9)  # longer than an answer stands that there will be no news of
    assert await there.get("code:A", never) == b"old"

    async with database.transaction() as session:
        invalidate(session, "code:A")
    await asyncio.sleep(0.6)

    assert await there.get("code:A", answering(b"new")) == b"new"
    assert await here.get("code:B", never) == b"old"


async def nonsense(redis):
    await redis.xadd("goodword:news", {"slots": "a b"})


async def another_key(redis):
    await redis.delete("goodword:news")
    await redis.rpush("goodword:news", "a")


async def lost(redis):
    await redis.delete("goodword:news")


@pytest.mark.parametrize("spoil", [nonsense, another_key, lost])
async def test_after_news_that_were_lost_nothing_is_taken_for_unchanged(nodes, redis, spoil):
    (database, _), (_, there) = await nodes(2)
    await there.get("code:A", answering(b"old"))
    await spoil(redis)

    async with database.transaction() as session:
        invalidate(session, "code:A")
    await spoil(redis)
    await asyncio.sleep(0.9)

    assert await there.get("code:A", answering(b"new")) == b"new"


async def test_a_popular_code_asks_nobody(database_url, api, alice, redis, valkey_url):
    code = (await make_code(alice))["code"]
    async with second_service(database_url, redis_url=valkey_url, limits="look-up=100000/minute") as node:
        await node.get(f"{FIND}/{code}")
        # A busy machine may let the cache take Redis for dead for a moment, and then every request asks it.
        for _ in range(10):
            before = (await redis.info("stats"))["total_commands_processed"]
            began = time.monotonic()
            for _ in range(200):
                assert (await node.get(f"{FIND}/{code}")).status_code == 200
            seconds = time.monotonic() - began
            asked = (await redis.info("stats"))["total_commands_processed"] - before
            if asked <= 3 * (1 + seconds / 0.2):
                return
    pytest.fail(f"{asked} commands for 200 requests")


async def test_a_node_ends_at_whatever_point_it_listens(database_url, valkey_url, api):
    services = build_services(settings_for(database_url, redis_url=valkey_url))
    async with asyncio.timeout(60):
        for steps in range(60):
            async with services.cache.following():
                for _ in range(steps):
                    await asyncio.sleep(0)
    await close_services(services)
