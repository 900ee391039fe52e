"""GET /api/v1/referral-codes/by-email"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from people import PASSWORD, join, make_code
from second_service import StoppedClock, second_service

MINE = "/api/v1/me/referral-codes"
PATH = "/api/v1/referral-codes/by-email"


async def find(api, email="alice@example.com"):
    return await api.get(PATH, params={"email": email})


async def test_finds_the_active_code(api, alice):
    code = await make_code(alice)

    answer = await find(api)

    assert answer.status_code == 200
    assert answer.json() == {
        "code": code["code"],
        "link": code["link"],
        "expires_at": code["expires_at"],
        "referrer": {"display_name": "Alice L."},
    }
    assert alice.email not in answer.text


async def test_repeated_look_ups_are_equal(api, alice):
    await make_code(alice)

    answers = [await find(api) for _ in range(3)]

    assert len({answer.content for answer in answers}) == 1


async def test_signed_in_users_find_it(alice, mallory):
    code = await make_code(alice)

    answer = await mallory.get(PATH, params={"email": alice.email})

    assert answer.json()["code"] == code["code"]


@pytest.mark.one_database
@pytest.mark.parametrize("email", ["ALICE@example.com", "alice@EXAMPLE.COM", "aLiCe@eXaMpLe.CoM"])
async def test_the_address_is_case_insensitive(api, alice, email):
    code = await make_code(alice)

    assert (await find(api, email)).json()["code"] == code["code"]


@pytest.mark.one_database
@pytest.mark.parametrize("email", ["rené@bücher.example", "rene\u0301@xn--bcher-kva.example"])
async def test_the_address_is_normalised(api, email):
    carol = await join(api, "carol", email="rené@bücher.example")
    code = await make_code(carol)

    assert (await find(api, email)).json()["code"] == code["code"]


async def test_finds_the_code_of_this_user(api, alice, bob):
    hers, his = await make_code(alice), await make_code(bob)

    assert (await find(api, alice.email)).json()["code"] == hers["code"]
    assert (await find(api, bob.email)).json()["code"] == his["code"]


async def test_finds_the_active_code_among_several(api, alice):
    old = await make_code(alice)
    new, _ = await make_code(alice, active=False), await make_code(alice, active=False)

    before = await find(api)
    await alice.post(f"{MINE}/{new['code']}/activate", {"replace": True})
    after = await find(api)

    assert (before.json()["code"], after.json()["code"]) == (old["code"], new["code"])


async def unknown(_alice, _clock):
    return "nobody@example.com"


async def similar(alice, _clock):
    await make_code(alice)
    return "alice+friends@example.com"


async def no_code(_alice, _clock):
    pass


async def prepared(alice, _clock):
    await make_code(alice, active=False)


async def hidden(alice, _clock):
    await make_code(alice, discoverable=False)


async def expired(alice, clock):
    await make_code(alice, lifetime=60)
    clock.forward(seconds=60)


async def deleted(alice, _clock):
    code = await make_code(alice)
    await alice.delete(f"{MINE}/{code['code']}")


async def replaced_by_a_hidden_one(alice, _clock):
    await make_code(alice)
    new = await make_code(alice, active=False, discoverable=False)
    await alice.post(f"{MINE}/{new['code']}/activate", {"replace": True})


async def used_up(alice, _clock):
    code = await make_code(alice, max_uses=1)
    await join(alice.api, "bob", referral_code=code["code"])


async def erased(alice, _clock):
    await make_code(alice)
    await alice.delete("/api/v1/me", json={"password": PASSWORD})


NEGATIVES = [
    unknown, similar, no_code, prepared, hidden, expired, deleted, replaced_by_a_hidden_one, used_up, erased
]  # fmt: skip


@pytest.mark.parametrize("negative", NEGATIVES, ids=lambda case: case.__name__)
async def test_every_negative_response_is_the_same(api, alice, clock, negative):
    email = await negative(alice, clock) or alice.email

    answer, stranger = await find(api, email), await find(api, "nobody@example.com")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
    assert answer.json() | {"request_id": None} == stranger.json() | {"request_id": None}
    for each in (answer, stranger):
        del each.headers["x-request-id"]
    assert answer.headers == stranger.headers


INVALID_ADDRESSES = [
    "", "alice", "@example.com", "alice@", "Alice <alice@example.com>", " alice@example.com",
    "a@b@example.com", "alice@example.com\r\nBcc: x@example.com", "alice@[127.0.0.1]",
    "alice@example.com\x00", "%", "a" * 300,
]  # fmt: skip


@pytest.mark.one_database
async def test_rejects_an_invalid_address(api):
    for email in INVALID_ADDRESSES:
        answer = await find(api, email)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["query.email"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "query.email"),
        ("?mail=alice@example.com", "query.mail"),
        ("?email=alice@example.com&email=bob@example.com", "query.email"),
    ],
)
async def test_requires_exactly_one_address(api, query, field):
    answer = await api.get(PATH + query)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_found_until_it_expires(alice, database_url):
    code = await make_code(alice, lifetime=60)
    end = datetime.fromisoformat(code["expires_at"])
    clock = StoppedClock(end - timedelta(microseconds=1))

    async with second_service(database_url, clock=clock) as api:
        before = await find(api)
        clock.now = end
        then = await find(api)

    assert (before.status_code, then.status_code) == (200, 404)


async def test_can_require_authentication(alice, mallory, database_url):
    code = await make_code(alice)

    async with second_service(database_url, code_lookup="authenticated") as api:
        stranger = await find(api)
        member = await find(replace(mallory, api=api))

    assert (stranger.status_code, stranger.json()["code"]) == (401, "unauthorized")
    assert stranger.headers["www-authenticate"] == 'Bearer realm="goodword"'
    assert member.json()["code"] == code["code"]


async def test_unauthenticated_responses_reveal_nothing(alice, database_url):
    await make_code(alice)

    async with second_service(database_url, code_lookup="authenticated") as api:
        known, unknown = await find(api), await find(api, "nobody@example.com")
        forged = await api.get(PATH, params={"email": alice.email}, headers={"Authorization": "Bearer x.y.z"})

    assert known.status_code == unknown.status_code == 401
    assert (forged.status_code, forged.json()["code"]) == (401, "invalid_token")


async def test_can_be_switched_off(alice, database_url):
    await make_code(alice)

    async with second_service(database_url, code_lookup="off") as api:
        stranger, owner = await find(api), await find(replace(alice, api=api))

    for answer in (stranger, owner):
        assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
