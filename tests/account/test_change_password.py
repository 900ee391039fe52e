"""PUT /api/v1/me/password: change the password."""

import asyncio
from collections import Counter

import pytest

from people import PASSWORD, Person, sign_in

PATH = "/api/v1/me/password"
NEW = "eight lanterns in the valley"


async def change(person, current=PASSWORD, new=NEW, **options):
    body = {"current_password": current, "new_password": new}
    return await person.call("PUT", PATH, json=body, **options)


async def elsewhere(person):
    """The same person on another device."""
    other = Person(person.api, person.name, person.email, person.user)
    await other.sign_in()
    return other


async def test_it_ends_all_sessions_but_this_one(api, alice):
    phone = await elsewhere(alice)

    answer = await change(alice)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await alice.get("/api/v1/me")).status_code == 200
    assert (await phone.get("/api/v1/me")).status_code == 401
    tokens = [person.tokens["refresh_token"] for person in (phone, alice)]
    data = [{"grant_type": "refresh_token", "refresh_token": token} for token in tokens]
    assert [(await api.post("/oauth/token", data=form)).status_code for form in data] == [400, 200]
    assert (await sign_in(api, alice.email, PASSWORD)).status_code == 401
    assert (await sign_in(api, alice.email, NEW)).status_code == 201


async def test_its_owner_is_told(alice, post):
    await post()
    await change(alice)

    message = await post.only(alice.email)
    assert message.kind == "password_changed"
    assert NEW not in message.text + message.html


async def test_a_wrong_password_changes_nothing(api, alice, post):
    await post()
    phone = await elsewhere(alice)

    answer = await change(alice, current="eight lanterns on the hill")

    assert answer.status_code == 403
    assert answer.json()["code"] == "wrong_password"
    assert (await phone.get("/api/v1/me")).status_code == 200
    assert (await sign_in(api, alice.email, PASSWORD)).status_code == 201
    assert await post() == []


@pytest.mark.one_database
@pytest.mark.parametrize("missing", ["current_password", "new_password"])
async def test_it_needs_both(alice, missing):
    body = {"current_password": PASSWORD, "new_password": NEW}
    del body[missing]

    answer = await alice.call("PUT", PATH, json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{missing}"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "password_too_short"),
        ("p" * 257, "password_too_long"),
        ("password123", "password_too_common"),
        ("ALICE@example.com", "password_too_personal"),
    ],
)
async def test_it_refuses_a_weak_password_and_names_the_field(api, alice, new, code):
    answer = await change(alice, new=new)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        ("body.new_password", code)
    ]
    assert (await sign_in(api, alice.email, PASSWORD)).status_code == 201


@pytest.mark.one_database
async def test_nobody_without_a_session_may(api):
    body = {"current_password": PASSWORD, "new_password": NEW}

    assert (await api.put(PATH, json=body)).status_code == 401


async def test_ten_at_once_leave_one_password(api, alice):
    passwords = [f"{NEW} {n}" for n in range(10)]

    answers = await asyncio.gather(*(change(alice, new=password) for password in passwords))

    # The others come with a password that is wrong by now; after five such they are told to wait.
    found = Counter(answer.status_code for answer in answers)
    assert (found[204], found[403] + found[429]) == (1, 9)
    winner = next(password for password, answer in zip(passwords, answers, strict=True) if answer.is_success)
    assert (await sign_in(api, alice.email, winner)).status_code == 201


async def test_it_drops_a_change_of_address(api, alice, post):
    """Whoever stole the old password may have asked for it."""
    await alice.post("/api/v1/me/email-changes", {"email": "eve@example.com", "password": PASSWORD})
    change_message = (await post(to="eve@example.com"))[0]

    await change(alice)

    answer = await api.post("/api/v1/me/email-changes/confirm", json={"token": change_message.token})
    assert answer.status_code == 400


async def test_it_is_nobody_elses(api, alice, bob):
    await change(alice)

    assert (await bob.get("/api/v1/me")).status_code == 200
    assert (await sign_in(api, bob.email, PASSWORD)).status_code == 201
