"""GET /api/v1/users/{user_id}/referrals, page by page"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from concurrency import at_once
from people import bring, make_code, register
from second_service import StoppedClock, second_service


def path(person):
    return f"/api/v1/users/{person.id}/referrals"


async def pages(owner, **query):
    """Return all pages, each as a list of names."""
    found, cursor = [], {}
    while cursor is not None:
        answer = await owner.get(path(owner), params=query | cursor)
        assert answer.status_code == 200, answer.text
        found.append([item["referee"]["display_name"] for item in answer.json()["items"]])
        following = answer.json()["next_cursor"]
        cursor = {"cursor": following} if following else None
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
async def test_pages_contain_each_referral_once(alice, limit):
    await bring(alice, "bob", "carol", "dave", "erin")

    newest = await pages(alice, limit=limit)
    oldest = await pages(alice, limit=limit, sort="oldest")

    assert [name for page in newest for name in page] == ["Erin", "Dave", "Carol", "Bob"]
    assert [name for page in oldest for name in page] == ["Bob", "Carol", "Dave", "Erin"]
    assert {len(page) for page in (newest + oldest)[:-1]} <= {limit, 4 % limit}


async def test_pages_are_stable_while_referrals_are_added(alice):
    code = await bring(alice, "bob", "carol", "dave", "erin")
    newest = (await alice.get(path(alice), params={"limit": 2})).json()["next_cursor"]
    oldest = (await alice.get(path(alice), params={"limit": 2, "sort": "oldest"})).json()["next_cursor"]
    await register(alice.api, "frank", referral_code=code["code"])

    assert await pages(alice, cursor=newest) == [["Carol", "Bob"]]
    assert await pages(alice, cursor=oldest, sort="oldest") == [["Dave", "Erin", "Frank"]]


async def test_pages_contain_referrals_of_the_same_time(alice, database_url):
    async with second_service(database_url, clock=StoppedClock(datetime.now(UTC))) as api:
        await bring(replace(alice, api=api), "bob", "carol", "dave", "erin")

    for order in ("newest", "oldest"):
        found = await pages(alice, limit=1, sort=order)
        assert sorted(name for page in found for name in page) == ["Bob", "Carol", "Dave", "Erin"]


async def test_a_cursor_of_another_list_is_refused(api, alice, mallory):
    for owner, friends in (alice, ("bob", "carol")), (mallory, ("dave", "erin")):
        await bring(owner, *friends)
    cursor = (await alice.get(path(alice), params={"limit": 1})).json()["next_cursor"]

    answers = [
        await alice.get(path(alice), params={"cursor": cursor, "sort": "oldest"}),
        await alice.get(path(alice), params={"cursor": cursor, "status": "confirmed"}),
        await alice.get(path(alice), params={"cursor": cursor[:-1]}),
        await mallory.get(path(mallory), params={"cursor": cursor}),
        await alice.get("/api/v1/me/referral-codes", params={"cursor": cursor}),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (400, "cursor_invalid")
    ] * 5


async def test_oldest_first_pages_miss_no_concurrent_referral(alice):
    # Few enough that their retries on a slow machine stay below the limit of registrations.
    code, friends = await make_code(alice), 30
    arriving = asyncio.create_task(
        at_once(lambda n: register(alice.api, f"guest{n}", referral_code=code["code"]), range(friends))
    )
    seen, cursor = [], {}
    while len(seen) < friends:
        done = arriving.done()
        answer = await alice.get(path(alice), params={"sort": "oldest", "limit": 1} | cursor)
        page = answer.json()
        seen += [item["id"] for item in page["items"]] if page["next_cursor"] or done else []
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else cursor
        if done and not page["next_cursor"]:
            break

    assert {answer.status_code for answer in await arriving} == {201}
    assert len(set(seen)) == friends
