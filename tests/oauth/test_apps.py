"""GET /api/v1/me/apps and DELETE /api/v1/me/apps/{client_id}."""

import pytest

pytestmark = pytest.mark.one_database

APPS = "/api/v1/me/apps"


async def names_of(person):
    return [found["name"] for found in (await person.get(APPS)).json()["items"]]


async def test_it_lists_what_was_let_in_and_for_what(garden, rival, alices, alice):
    assert (await alice.get(APPS)).json() == {"items": [], "next_cursor": None}
    await garden.let_in(alices, "openid")
    await garden.let_in(alices, "referrals:read")
    await rival.let_in(alices, "profile")

    found = (await alice.get(APPS)).json()["items"]

    assert [one["name"] for one in found] == ["Rival", "Garden letters"]
    assert found[1].keys() == {"client_id", "name", "scope", "created_at"}
    assert (found[1]["client_id"], found[1]["scope"]) == (garden.client_id, "openid referrals:read")


async def test_they_come_in_pages(garden, rival, alices, alice, mallory):
    await garden.let_in(alices, "openid")
    await rival.let_in(alices, "profile")

    first = (await alice.get(APPS, params={"limit": 1})).json()
    cursor = {"cursor": first["next_cursor"]}
    last = (await alice.get(APPS, params=cursor)).json()

    assert [one["name"] for one in first["items"] + last["items"]] == ["Rival", "Garden letters"]
    assert last["next_cursor"] is None
    assert (await mallory.get(APPS, params=cursor)).json()["code"] == "cursor_invalid"
    assert (await alice.get(APPS, params={"limit": 101})).status_code == 422


async def test_it_lists_nothing_that_others_let_in(garden, alices, alice, mallory):
    await garden.let_in(alices, "profile")

    assert await names_of(alice) == ["Garden letters"]
    assert await names_of(mallory) == []


async def test_shutting_an_app_out_ends_all_that_it_has(garden, rival, alices, alice):
    one = await garden.let_in(alices, "profile offline_access")
    two = await garden.let_in(alices, "profile")
    other = await rival.let_in(alices, "profile")
    code = await garden.code(alices, scope="profile")

    answer = await alice.delete(f"{APPS}/{garden.client_id}")

    assert (answer.status_code, answer.content) == (204, b"")
    for tokens in (one, two):
        assert (await garden.get("/api/v1/me", tokens)).status_code == 401
    assert (await garden.refresh(one["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await garden.exchange(code)).json()["error"] == "invalid_grant"
    assert (await rival.get("/api/v1/me", other)).status_code == 200
    assert await names_of(alice) == ["Rival"]


async def test_an_app_that_was_shut_out_has_to_ask_again(garden, alices, alice):
    await garden.let_in(alices, "profile")
    await alice.delete(f"{APPS}/{garden.client_id}")

    assert (await alices.get(garden.url(scope="profile"))).status_code == 200


async def test_nobody_shuts_it_out_for_somebody_else(garden, alices, alice, mallory):
    tokens = await garden.let_in(alices, "profile")

    answer = await mallory.delete(f"{APPS}/{garden.client_id}")

    assert answer.status_code == 404
    assert answer.json()["code"] == "app_not_found"
    assert (await garden.get("/api/v1/me", tokens)).status_code == 200
    assert await names_of(alice) == ["Garden letters"]


@pytest.mark.parametrize("client_id", ["unknown", "%00", "%FF", "a" * 300, "goodword", "%27%20OR%201=1"])
async def test_an_app_that_was_never_let_in_is_not_there(alice, client_id):
    assert (await alice.delete(f"{APPS}/{client_id}")).json()["code"] == "app_not_found"


async def test_an_app_can_neither_list_nor_shut_out(garden, api, alices):
    tokens = await garden.let_in(alices)

    assert (await garden.get(APPS, tokens)).status_code == 403
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await api.delete(f"{APPS}/{garden.client_id}", headers=headers)).status_code == 403


async def test_it_needs_a_token(api):
    assert (await api.get(APPS)).status_code == 401
    assert (await api.delete(f"{APPS}/x")).status_code == 401
