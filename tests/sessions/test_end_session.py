"""DELETE /api/v1/me/sessions/{session_id}"""

import uuid

import pytest

from people import sign_in

PATH = "/api/v1/me/sessions"


async def ids(person):
    """The ids of a person's sessions, the current one first."""
    items = (await person.get(PATH)).json()["items"]
    return [one["id"] for one in sorted(items, key=lambda one: not one["current"])]


async def test_end_session_ends_one_of_several(alice):
    phone, laptop = [(await sign_in(alice.api, alice.email)).json() for _ in range(2)]
    headers = {"Authorization": f"Bearer {phone['access_token']}"}
    [session] = [
        one["id"] for one in (await alice.get(PATH, headers=headers)).json()["items"] if one["current"]
    ]

    assert (await alice.delete(f"{PATH}/{session}")).status_code == 204

    assert (await alice.get("/api/v1/me", headers=headers)).status_code == 401
    assert (await alice.get("/api/v1/me")).status_code == 200
    headers = {"Authorization": f"Bearer {laptop['access_token']}"}
    assert (await alice.get("/api/v1/me", headers=headers)).status_code == 200


async def test_end_session_revokes_its_refresh_token(alice):
    phone = (await sign_in(alice.api, alice.email)).json()
    _, other = await ids(alice)

    await alice.delete(f"{PATH}/{other}")

    form = {"grant_type": "refresh_token", "refresh_token": phone["refresh_token"]}
    assert (await alice.api.post("/oauth/token", data=form)).json()["error"] == "invalid_grant"


async def test_end_session_accepts_the_current_session(alice):
    [session] = await ids(alice)

    assert (await alice.delete(f"{PATH}/{session}")).status_code == 204
    assert (await alice.get("/api/v1/me")).status_code == 401


async def test_end_session_hides_sessions_of_others(alice, mallory):
    [session] = await ids(alice)

    theirs = await mallory.delete(f"{PATH}/{session}")
    nobodys = await mallory.delete(f"{PATH}/{uuid.uuid4()}")

    assert theirs.status_code == 404
    assert theirs.json()["code"] == "session_not_found"
    assert theirs.json() | {"request_id": ""} == nobodys.json() | {"request_id": ""}
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_end_session_twice_is_not_found(alice):
    await sign_in(alice.api, alice.email)
    _, other = await ids(alice)

    answers = [await alice.delete(f"{PATH}/{other}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 404]


@pytest.mark.one_database
@pytest.mark.parametrize("text", ["x", "1", "019aa8c2", "%00", "%F0%9F%98%80", "null", "-1", "%27%3B--"])
async def test_end_session_refuses_a_malformed_id(alice, text):
    answer = await alice.delete(f"{PATH}/{text}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["path.session_id"]
