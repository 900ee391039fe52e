"""POST /api/v1/users with a referral code."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from people import PASSWORD, join, make_code, referrals_of, register

CODES = "/api/v1/me/referral-codes"


@pytest.fixture
def refused(api, rows):
    async def problem(code):
        """Return the error of a registration of Bob's without the request id. No account is created."""
        answer = await register(api, "bob", referral_code=code)
        assert answer.status_code == 422, answer.text
        assert await rows("SELECT id FROM users WHERE email = 'bob@example.com'") == []
        return {name: value for name, value in answer.json().items() if name != "request_id"}

    return problem


async def test_creates_a_referral(alice, rows):
    code = await make_code(alice)

    answer = await register(alice.api, "bob", referral_code=code["code"])

    assert answer.status_code == 201
    assert answer.json()["referred_by"] == "Alice L."
    [referral] = await referrals_of(alice)
    assert (referral["referee"]["display_name"], referral["code"]) == ("Bob", code["code"])
    assert await rows("SELECT referee_id FROM referrals") == await rows(
        "SELECT id FROM users WHERE email = 'bob@example.com'"
    )


async def test_counts_the_use(alice):
    code = await make_code(alice)
    for name in ("bob", "carol"):
        await register(alice.api, name, referral_code=code["code"])

    shown = await alice.get(f"{CODES}/{code['code']}")
    assert shown.json()["uses"] == 2


async def test_a_referrer_without_a_name_is_a_friend(api):
    carol = await join(api, "carol", first_name=None)
    code = await make_code(carol)

    answer = await register(api, "bob", referral_code=code["code"])

    assert answer.json()["referred_by"] == "A friend"


VARIANTS = {
    "as it is": str,
    "lower case": str.lower,
    "spaces around": lambda code: f"  {code} ",
    "spaces within": " ".join,
    "hyphens": "-".join,
    "look-alikes": lambda code: code.replace("0", "o").replace("1", "l"),
    "other look-alikes": lambda code: code.replace("0", "O").replace("1", "I"),
}


@pytest.mark.one_database
@pytest.mark.parametrize("write", VARIANTS.values(), ids=VARIANTS)
async def test_the_code_is_normalised(alice, write):
    await make_code(alice, code="A0B1-C2D3")

    answer = await register(alice.api, "bob", referral_code=write("A0B1-C2D3"))

    assert answer.status_code == 201
    assert answer.json()["referred_by"] == "Alice L."


async def test_accepts_a_hidden_code(alice):
    code = await make_code(alice, discoverable=False)

    assert (await register(alice.api, "bob", referral_code=code["code"])).status_code == 201


async def test_every_unusable_code_gets_the_same_error(alice, clock, refused):
    expired = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    problems = [await refused(expired["code"])]  # before another code is created, which retires it
    used_up = await make_code(alice, max_uses=1)
    await register(alice.api, "carol", referral_code=used_up["code"])
    problems.append(await refused(used_up["code"]))
    deleted = await make_code(alice)
    await alice.delete(f"{CODES}/{deleted['code']}")
    active = await make_code(alice, code="GOOD-KODE")
    prepared = await make_code(alice, active=False)
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in active["code"])
    unknown = [
        "7KQ2M9XWPA",
        "",
        " ",
        "-",
        "x",
        "GOOD-KODE1",
        "GОOD-KODE",
        "GOOD-\u212aODE",
        "' OR 1=1 --",
        "%",
        "x" * 255,
    ]

    codes = [one["code"] for one in (expired, used_up, deleted, prepared)] + [wide, *unknown]
    problems += [await refused(code) for code in codes]

    assert problems[0]["code"] == "code_not_usable"
    assert problems[0]["errors"][0]["field"] == "body.referral_code"
    assert [found for found in problems if found != problems[0]] == []


async def test_refused_from_the_second_that_the_code_expires(alice, clock, refused):
    code = (await make_code(alice, lifetime=60))["code"]
    clock.forward(seconds=59)
    assert (await register(alice.api, "carol", referral_code=code)).status_code == 201

    clock.forward(seconds=1)

    assert (await refused(code))["code"] == "code_not_usable"


async def test_refuses_the_code_of_an_erased_owner(alice, refused):
    code = await make_code(alice)
    assert (await alice.delete("/api/v1/me", json={"password": PASSWORD})).status_code == 204

    assert (await refused(code["code"]))["code"] == "code_not_usable"


async def test_refuses_the_code_of_a_disabled_owner(alice, app, refused):
    code = await make_code(alice)
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET status = 'disabled'"))

    assert (await refused(code["code"]))["code"] == "code_not_usable"


async def test_a_failed_registration_does_not_use_the_code(alice):
    code = await make_code(alice, max_uses=1)
    for fields in ({"email": "alice@example.com"}, {"password": "short"}, {"email": "nowhere"}):
        answer = await register(alice.api, "bob", referral_code=code["code"], **fields)
        assert answer.status_code in (409, 422)

    assert (await register(alice.api, "bob", referral_code=code["code"])).status_code == 201


async def test_a_user_cannot_use_their_own_code(alice):
    code = await make_code(alice)

    answer = await register(alice.api, "alice", referral_code=code["code"])

    assert answer.status_code == 409
    assert await referrals_of(alice) == []


async def test_a_code_cannot_be_added_later(alice, bob):
    code = await make_code(alice)

    answer = await bob.patch("/api/v1/me", {"referral_code": code["code"]})

    assert answer.status_code == 422
    assert await referrals_of(alice) == []


async def test_the_database_refuses_a_self_referral(alice, app):
    await register(alice.api, "bob", referral_code=(await make_code(alice))["code"])

    with pytest.raises(DBAPIError, match="not_oneself"):
        async with app.state.services.database.transaction() as session:
            await session.execute(text("UPDATE referrals SET referrer_id = referee_id"))


async def test_concurrent_registrations_share_the_last_use(alice, rows):
    code = await make_code(alice, max_uses=1)

    answers = await asyncio.gather(
        *(register(alice.api, f"friend{n}", referral_code=code["code"]) for n in range(20))
    )

    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: 19}
    assert await rows("SELECT count(*) FROM referrals") == [(1,)]
    assert await rows("SELECT count(*) FROM users") == [(2,)]


async def test_concurrent_registrations_and_a_deletion_are_consistent(alice, rows):
    code = await make_code(alice)
    friends = [register(alice.api, f"friend{n}", referral_code=code["code"]) for n in range(30)]
    friends.insert(10, alice.delete(f"{CODES}/{code['code']}"))

    answers = [one for one in await asyncio.gather(*friends) if one.status_code != 204]

    joined = [one.json() for one in answers if one.status_code == 201]
    assert {one.json()["code"] for one in answers if one.status_code != 201} <= {"code_not_usable"}
    assert {one["referred_by"] for one in joined} <= {"Alice L."}
    assert Counter(await rows("SELECT code_id FROM referrals")).total() == len(joined)
    assert await rows("SELECT uses FROM referral_codes") == [(len(joined),)]
    assert await rows("SELECT count(*) FROM users") == [(len(joined) + 1,)]
