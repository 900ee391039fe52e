"""POST /api/v1/users"""

import asyncio
import unicodedata
from collections import Counter

import pytest

from people import PASSWORD, register, sign_in

PATH = "/api/v1/users"
KEYS = {"id", "email", "email_verified", "first_name", "last_name", "created_at", "referred_by"}


async def test_creates_an_account(api, rows):
    answer = await register(api, "alice", last_name="Liddell")

    assert answer.status_code == 201
    user = answer.json()
    assert user["email"] == "alice@example.com"
    assert (user["first_name"], user["last_name"]) == ("Alice", "Liddell")
    assert user["email_verified"] is False
    assert user["referred_by"] is None
    assert await rows("SELECT count(*) FROM users") == [(1,)]


@pytest.mark.one_database
async def test_returns_only_the_documented_fields(api):
    answer = await register(api, "alice")

    assert answer.json().keys() == KEYS
    assert answer.headers["content-type"] == "application/json"


async def test_returns_the_location_of_the_account(api):
    answer = await register(api, "alice")
    token = (await sign_in(api, "alice@example.com")).json()["access_token"]

    location = answer.headers["location"]
    assert location == "/api/v1/me"
    shown = await api.get(location, headers={"Authorization": f"Bearer {token}"})
    assert shown.json() == answer.json() | {"profile": None}


async def test_stores_only_a_hash_of_the_password(api, rows):
    await register(api, "alice")

    [(stored,)] = await rows("SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


async def test_no_response_contains_a_hash(alice, rows):
    [(stored,)] = await rows("SELECT password_hash FROM users")
    answers = [
        await register(alice.api, "carol"),
        await register(alice.api, "alice"),
        await sign_in(alice.api, alice.email),
        *[await alice.get(path) for path in ("/api/v1/me", "/api/v1/me/sessions")],
    ]

    assert [one.text for one in answers if "argon2" in one.text or stored in one.text] == []


async def test_names_are_optional(api):
    answer = await api.post(PATH, json={"email": "alice@example.com", "password": PASSWORD})

    assert answer.status_code == 201
    assert (answer.json()["first_name"], answer.json()["last_name"]) == (None, None)


@pytest.mark.one_database
@pytest.mark.parametrize("missing", ["email", "password"])
async def test_requires_an_address_and_a_password(api, missing):
    body = {"email": "alice@example.com", "password": PASSWORD}
    del body[missing]

    answer = await api.post(PATH, json=body)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        (f"body.{missing}", "missing")
    ]


async def test_concurrent_registrations_of_one_address_create_one_account(api, rows):
    spellings = ["élise@example.com", "ÉLISE@example.com", "Élise@EXAMPLE.COM", "élise@Example.com"]
    forms = [unicodedata.normalize(form, spelling) for spelling in spellings for form in ("NFC", "NFD")]

    answers = await asyncio.gather(*(register(api, "elise", email=forms[n % len(forms)]) for n in range(50)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"email_taken"}
    assert await rows("SELECT count(*) FROM users") == [(1,)]


async def test_a_taken_address_does_not_change_the_account(alice):
    answer = await register(alice.api, "alice", first_name="Mallory", password="another good one")

    assert answer.status_code == 409
    assert (await sign_in(alice.api, alice.email)).status_code == 201
    assert (await alice.get("/api/v1/me")).json()["first_name"] == "Alice"


async def test_a_new_user_can_sign_in(api):
    await register(api, "alice")

    assert (await sign_in(api, "alice@example.com")).status_code == 201
