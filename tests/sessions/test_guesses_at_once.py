"""Wrong passwords sent at the same moment: no more of them are tried than one after the other."""

from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from asgi import client_of, running, settings_for
from concurrency import at_once
from goodword.app import create_app
from goodword.clock import utc_now
from goodword.users.passwords import Passwords
from people import PASSWORD, sign_in
from second_service import StoppedClock

WRONG = "not the password at all"
OWN = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}


@asynccontextmanager
async def nodes(url, count):
    """Nodes on one database, on which no time passes: no wait ends during a test."""
    clock = StoppedClock(utc_now())
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running(create_app(settings_for(url), clock=clock)))
            for _ in range(count)
        ]


@asynccontextmanager
async def clients(url, count):
    """A client of each of the nodes."""
    async with nodes(url, count) as apps, AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client_of(app)) for app in apps]


async def statuses(request, many):
    return Counter(answer.status_code for answer in await at_once(request, many))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
async def test_five_of_forty_are_tried(alice, database_url, count, email):
    async with clients(database_url, count) as apis:
        found = await statuses(lambda number: sign_in(apis[number % count], email, WRONG), range(40))

    assert found == {401: 5, 429: 35}


async def test_five_are_tried_by_api_and_page_together(alice, database_url):
    form = {"email": alice.email, "password": WRONG}
    async with clients(database_url, 2) as (api, other):

        def guess(number):
            if number % 2:
                return sign_in(api, alice.email, WRONG)
            return other.post("/sign-in", data=form, headers=OWN)

        found = await statuses(guess, range(40))

    assert found == {401: 5, 429: 35}


async def test_twenty_concurrent_guesses_from_forty_networks_are_verified(alice, database_url):
    async with nodes(database_url, 1) as (node,), AsyncExitStack() as stack:
        places = [
            await stack.enter_async_context(client_of(node, peer=f"198.51.{third}.7")) for third in range(40)
        ]
        found = await statuses(lambda api: sign_in(api, alice.email, WRONG), places * 2)

    assert found == {401: 20, 429: 60}


@pytest.mark.parametrize("count", [1, 2])
async def test_many_devices_with_the_right_password_all_sign_in(alice, database_url, rows, count):
    async with clients(database_url, count) as apis:
        found = await statuses(lambda number: sign_in(apis[number % count], alice.email), range(30))

    assert found == {201: 30}
    assert await rows("SELECT network, failures FROM login_failures") == []


async def test_right_passwords_among_wrong_ones_are_not_counted(alice, database_url, rows):
    async with (
        nodes(database_url, 1) as (node,),
        client_of(node, peer="198.51.100.7") as home,
        client_of(node, peer="203.0.113.9") as cafe,
    ):
        tries = [(home, PASSWORD)] * 10 + [(cafe, WRONG)] * 4
        found = await statuses(lambda one: sign_in(one[0], alice.email, one[1]), tries)

    assert found == {201: 10, 401: 4}
    counts = await rows("SELECT network, failures FROM login_failures ORDER BY network")
    assert counts == [("", 4), ("203.0.113.0/24", 4)]


@pytest.mark.parametrize("count", [1, 2])
async def test_five_guesses_of_all_kinds_are_tried_within_a_session(alice, database_url, count):
    change = {"current_password": WRONG, "new_password": "quiet otters swim at dawn"}
    headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
    async with clients(database_url, count) as apis:

        def guess(number):
            api = apis[number % count]
            match number % 3:
                case 0:
                    return api.request("PUT", "/api/v1/me/password", json=change, headers=headers)
                case 1:
                    body = {"email": f"alice{number}@example.org", "password": WRONG}
                    return api.post("/api/v1/me/email-changes", json=body, headers=headers)
            return api.request("DELETE", "/api/v1/me", json={"password": WRONG}, headers=headers)

        found = await statuses(guess, range(60))

    assert found == {403: 5, 429: 55}


async def test_the_right_password_within_a_session_is_not_counted(alice, database_url, rows):
    headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
    async with clients(database_url, 2) as apis:

        def ask(number):
            body = {"email": f"alice{number}@example.org", "password": PASSWORD}
            return apis[number % 2].post("/api/v1/me/email-changes", json=body, headers=headers)

        found = await statuses(ask, range(12))

    assert found == {202: 12}
    assert await rows("SELECT network, failures FROM login_failures") == []


async def test_a_full_hashing_queue_counts_nothing_and_forgives_nothing(alice, database_url):
    async with nodes(database_url, 1) as (node,), client_of(node) as api:

        async def fail(times):
            return [(await sign_in(api, alice.email, WRONG)).status_code for _ in range(times)]

        assert await fail(3) == [401] * 3
        roomy = node.state.services
        full = Passwords(cost="fast_for_tests", min_length=8, room=0)
        node.state.services = replace(roomy, passwords=full)
        assert await fail(4) == [503] * 4
        full.close()
        node.state.services = roomy
        assert await fail(3) == [401, 401, 429]
