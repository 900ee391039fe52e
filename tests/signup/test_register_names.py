"""POST /api/v1/users: names."""

import pytest

from people import join, register

pytestmark = pytest.mark.one_database

TEXTS = [
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${7*7}",
    '=cmd|" /C calc"!A0',
    "'; DROP TABLE users;--",
    "Robert\\n",
    "%s %(name)s {0}",
    "../../etc/passwd",
    "O’Neil-Söderström",
    "李",
    "நிலா",
    "👩‍👩‍👧",
    "x" * 100,
    "é" * 100,
]


@pytest.mark.parametrize("name", TEXTS)
async def test_a_name_is_stored_as_text(api, rows, name):
    alice = await join(api, "alice", first_name=name, last_name=name)

    user = (await alice.get("/api/v1/me")).json()
    assert (user["first_name"], user["last_name"]) == (name, name)
    assert await rows("SELECT first_name, last_name FROM users") == [(name, name)]


async def test_a_name_is_normalised(api):
    answer = await register(api, "alice", first_name="E\u0301lise" + "e\u0301" * 90)

    assert answer.json()["first_name"] == "Élise" + "é" * 90


REFUSED = {
    "empty": "",
    "101": "x" * 101,
    "10 kB": "x" * 10_240,
    "101 in NFC": "\ufb2c" * 34,
    "a pile of accents": "a" + "\u0301\u0323" * 15_000,
    "blank": "   ",
    "no-break space": "\u00a0",
    "zero-width space": "\u200b",
    "an accent alone": "\u0301",
    "number": 1,
    "true": True,
    "list": ["Alice"],
    "object": {"en": "Alice"},
}


@pytest.mark.parametrize("field", ["first_name", "last_name"])
@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED)
async def test_rejects_invalid_names(api, rows, field, name):
    answer = await register(api, "alice", **{field: name})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]
    assert await rows("SELECT count(*) FROM users") == [(0,)]


async def test_null_is_accepted_as_no_name(api):
    answer = await api.post(
        "/api/v1/users",
        json={
            "email": "alice@example.com",
            "password": "seven lanterns on the hill",
            "first_name": None,
            "last_name": None,
            "referral_code": None,
        },
    )

    assert answer.status_code == 201
    assert (answer.json()["first_name"], answer.json()["last_name"]) == (None, None)
