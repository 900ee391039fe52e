"""A change is seen at once by whoever asks the same node, and a second later by whoever asks another one."""

import asyncio
import time
from functools import partial

import pytest
from sqlalchemy import text

import second_service as services
from asgi import client_of, running, settings_for
from goodword.app import create_app
from people import make_code, register

pytestmark = pytest.mark.one_database

FIND = "/api/v1/referral-codes"
second_service = partial(services.second_service, limits="look-up-missing=100000/minute")


async def look(api, owner, code):
    """What both look-ups answer."""
    by_string = await api.get(f"{FIND}/{code}")
    by_email = await api.get(f"{FIND}/by-email", params={"email": owner.email})
    return [
        answer.json()["referrer"]["display_name"] if answer.status_code == 200 else answer.status_code
        for answer in (by_string, by_email)
    ]


async def delete(alice, _rita, code):
    assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204


async def hide(alice, _rita, code):
    answer = await alice.patch(f"/api/v1/me/referral-codes/{code}", {"discoverable": False})
    assert answer.status_code == 200


async def replace(alice, _rita, _code):
    other = await make_code(alice, active=False, discoverable=False)
    path = f"/api/v1/me/referral-codes/{other['code']}/activate"
    assert (await alice.post(path, {"replace": True})).status_code == 200


async def use_up(alice, _rita, code):
    assert (await register(alice.api, "bob", referral_code=code)).status_code == 201


async def rename(alice, _rita, _code):
    assert (await alice.patch("/api/v1/me", {"first_name": "Lewis", "last_name": None})).status_code == 200


async def disable(alice, rita, _code):
    assert (await rita.post(f"/api/v1/admin/users/{alice.id}/disable", None)).status_code == 200


async def revoke(_alice, rita, code):
    assert (await rita.delete(f"/api/v1/admin/referral-codes/{code}")).status_code == 204


async def erase(alice, _rita, _code):
    answer = await alice.call("DELETE", "/api/v1/me", json={"password": alice.password})
    assert answer.status_code == 204


CHANGES = {
    delete: [404, 404],
    hide: ["Alice L.", 404],
    replace: [404, 404],
    use_up: [404, 404],
    rename: ["Lewis", "Lewis"],
    disable: [404, 404],
    revoke: [404, 404],
    erase: [404, 404],
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_a_change_is_seen_at_once(api, alice, rita, change):
    code = (await make_code(alice, max_uses=1))["code"]
    assert await look(api, alice, code) == ["Alice L.", "Alice L."]

    await change(alice, rita, code)

    assert await look(api, alice, code) == CHANGES[change]


@pytest.mark.parametrize(
    ("change", "shared"),
    [*((change, "valkey") for change in CHANGES), (delete, "none"), (rename, "none")],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_a_change_is_seen_by_another_node_within_a_second(
    database_url, api, alice, rita, change, shared, valkey_url
):
    url = valkey_url if shared == "valkey" else None
    code = (await make_code(alice, max_uses=1))["code"]
    async with (
        second_service(database_url, redis_url=url) as here,
        second_service(database_url, redis_url=url) as there,
    ):
        alice.api = rita.api = here
        assert await look(here, alice, code) == await look(there, alice, code) == ["Alice L.", "Alice L."]

        await change(alice, rita, code)
        changed_at = time.monotonic()

        assert await look(here, alice, code) == CHANGES[change]
        while (seen := await look(there, alice, code)) != CHANGES[change]:
            assert time.monotonic() < changed_at + 1, seen
            await asyncio.sleep(0.01)
    alice.api = rita.api = api


@pytest.mark.parametrize("active", [True, False], ids=["made active", "activated later"])
async def test_a_new_code_is_found_at_once(database_url, api, alice, active):
    async with second_service(database_url) as node:  # that remembers nothing of other tests
        alice.api = node
        assert await look(node, alice, "ALICE-2030") == [404, 404]

        await make_code(alice, code="ALICE-2030", active=active)
        if not active:
            assert await look(node, alice, "ALICE-2030") == [404, 404]
            await alice.post("/api/v1/me/referral-codes/ALICE-2030/activate", {})

        assert await look(node, alice, "ALICE-2030") == ["Alice L.", "Alice L."]
    alice.api = api


async def test_a_new_code_is_found_where_nothing_was_found_before(database_url, api, alice, valkey_url):
    async with second_service(database_url, redis_url=valkey_url) as node:
        alice.api = node
        assert await look(node, alice, "ALICE-2030") == [404, 404]

        await make_code(alice, code="ALICE-2030", active=False)
        assert await look(node, alice, "ALICE-2030") == [404, 404]
        await alice.post("/api/v1/me/referral-codes/ALICE-2030/activate", {})

        assert await look(node, alice, "ALICE-2030") == ["Alice L.", "Alice L."]
    alice.api = api


async def test_whoever_is_enabled_again_is_found_again(api, alice, rita):
    code = (await make_code(alice))["code"]
    await disable(alice, rita, code)
    assert await look(api, alice, code) == [404, 404]

    await rita.post(f"/api/v1/admin/users/{alice.id}/enable", None)

    assert await look(api, alice, code) == ["Alice L.", "Alice L."]


async def test_a_code_is_found_by_the_new_address_and_no_longer_by_the_old_one(api, alice, post):
    code = (await make_code(alice))["code"]
    old, new = alice.email, "liddell@example.com"
    assert await look(api, alice, code) == ["Alice L.", "Alice L."]
    alice.email = new
    assert await look(api, alice, code) == ["Alice L.", 404]

    await alice.post("/api/v1/me/email-changes", {"email": new, "password": alice.password})
    token = next(letter.token for letter in await post(to=new))
    assert (await alice.post("/api/v1/me/email-changes/confirm", {"token": token})).status_code == 204

    assert await look(api, alice, code) == ["Alice L.", "Alice L."]
    alice.email = old
    assert await look(api, alice, code) == ["Alice L.", 404]


async def test_an_answer_ends_with_the_code(api, alice, clock):
    code = (await make_code(alice, lifetime=60))["code"]
    assert await look(api, alice, code) == ["Alice L.", "Alice L."]

    clock.forward(seconds=61)

    assert await look(api, alice, code) == [404, 404]


async def test_an_answer_in_the_shared_cache_ends_with_the_code(database_url, api, alice, clock, valkey_url):
    code = (await make_code(alice, lifetime=60))["code"]
    async with second_service(database_url, redis_url=valkey_url, clock=clock) as node:
        assert await look(node, alice, code) == ["Alice L.", "Alice L."]
        clock.forward(seconds=61)
        async with second_service(database_url, redis_url=valkey_url, clock=clock) as other:
            assert await look(node, alice, code) == await look(other, alice, code) == [404, 404]


async def test_other_words_for_the_same_find_the_same(api, alice):
    await make_code(alice, code="OLIVER-10")
    for words in ("OLIVER-10", "oliver10", "0L1VER-IO", "%4FLIVER-10"):
        assert (await api.get(f"{FIND}/{words}")).status_code == 200

    await delete(alice, None, "OLIVER-10")

    for words in ("OLIVER-10", "oliver10", "0L1VER-IO", "%4FLIVER-10"):
        assert (await api.get(f"{FIND}/{words}")).status_code == 404


async def test_a_remembered_answer_is_for_those_who_may_have_it(database_url, api, alice):
    await make_code(alice)
    async with second_service(database_url, code_lookup="authenticated") as node:
        path, query = f"{FIND}/by-email", {"email": alice.email}
        token = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
        assert (await node.get(path, params=query, headers=token)).status_code == 200
        assert (await node.get(path, params=query)).json()["code"] == "unauthorized"
        assert (await node.get(path, params=query, headers=token)).status_code == 200


async def test_without_a_cache_the_database_is_asked_each_time(database_url, api, alice):
    code = (await make_code(alice))["code"]
    settings = settings_for(database_url, cache="off")
    async with running(create_app(settings)) as app, client_of(app) as node:
        assert await look(node, alice, code) == ["Alice L.", "Alice L."]
        async with app.state.services.database.transaction() as session:
            await session.execute(text("UPDATE users SET first_name = 'Lewis'"))
        assert await look(node, alice, code) == ["Lewis L.", "Lewis L."]
