"""DELETE /api/v1/me/sessions/current"""

import asyncio

from people import Person, sign_in

PATH = "/api/v1/me/sessions/current"


async def refresh(api, token):
    return await api.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": token})


async def elsewhere(person: Person) -> Person:
    """The same person on another device."""
    tokens = (await sign_in(person.api, person.email)).json()
    return Person(person.api, person.name, person.email, person.user, tokens)


async def test_it_ends_both_tokens_at_once(alice):
    answer = await alice.delete(PATH)

    assert answer.status_code == 204
    assert answer.content == b""
    known = await alice.get("/api/v1/me")
    assert known.status_code == 401
    assert known.json()["code"] == "invalid_token"
    refused = await refresh(alice.api, alice.tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


async def test_it_ends_what_was_refreshed_too(alice):
    fresh = (await refresh(alice.api, alice.tokens["refresh_token"])).json()

    await alice.delete(PATH)

    headers = {"Authorization": f"Bearer {fresh['access_token']}"}
    assert (await alice.api.get("/api/v1/me", headers=headers)).status_code == 401
    assert (await refresh(alice.api, fresh["refresh_token"])).status_code == 400


async def test_other_devices_stay_signed_in(alice):
    phone = await elsewhere(alice)

    await alice.delete(PATH)

    assert (await phone.get("/api/v1/me")).status_code == 200
    assert (await refresh(phone.api, phone.tokens["refresh_token"])).status_code == 200


async def test_a_second_time_is_too_late(alice):
    await alice.delete(PATH)

    assert (await alice.delete(PATH)).status_code == 401


async def test_several_times_at_once_is_signing_out(alice):
    answers = await asyncio.gather(*(alice.delete(PATH) for _ in range(8)))

    assert {answer.status_code for answer in answers} <= {204, 401}
    assert (await alice.get("/api/v1/me")).status_code == 401
