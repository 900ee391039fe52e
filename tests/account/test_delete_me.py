"""DELETE /api/v1/me"""

import asyncio

import pytest
from sqlalchemy import text

from goodword.tables import Base
from people import PASSWORD, join, make_code, referrals_of, register, sign_in

ME = "/api/v1/me"


def erase(person, password=PASSWORD):
    return person.delete(ME, json={"password": password})


async def everything(app):
    """Each row of each table, as text."""
    found = []
    async with app.state.services.database.readers() as session:
        for table in Base.metadata.sorted_tables:
            for row in await session.execute(table.select()):
                values = (
                    value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row
                )
                found.append(f"{table.name}: {' '.join(values)}")
    return found


async def test_it_erases_the_account(alice, rows):
    answer = await erase(alice)

    assert (answer.status_code, answer.content) == (204, b"")
    assert await rows("SELECT status, email, password_hash, first_name, last_name FROM users") == [
        ("erased", None, None, None, None)
    ]


@pytest.mark.one_database
@pytest.mark.parametrize("password", ["not hers", "", PASSWORD.upper(), PASSWORD + " ", "x" * 1024])
async def test_it_needs_the_password(alice, password):
    answer = await erase(alice, password)

    assert answer.status_code == 403
    assert answer.json()["code"] == "wrong_password"
    assert (await alice.get(ME)).json() == alice.account


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": PASSWORD, "confirm": True}])
async def test_it_needs_nothing_but_the_password(alice, body):
    assert (await alice.delete(ME, json=body)).status_code == 422
    assert (await alice.get(ME)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"password": PASSWORD}])
async def test_without_a_password_a_sign_in_must_be_recent(alice, app, clock, rows, body):
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET password_hash = NULL"))

    clock.forward(seconds=301)
    late = await alice.delete(ME, json=body)
    assert (late.status_code, late.json()["code"]) == (403, "reauthentication_required")
    clock.forward(seconds=-10)
    assert (await alice.delete(ME, json=body)).status_code == 204
    assert await rows("SELECT status FROM users") == [("erased",)]


@pytest.mark.one_database
async def test_it_needs_a_body(alice):
    assert (await alice.delete(ME)).status_code == 415
    assert (await alice.get(ME)).status_code == 200


async def test_its_tokens_are_dead(alice):
    elsewhere = (await sign_in(alice.api, alice.email)).json()
    await erase(alice)

    for tokens in (alice.tokens, elsewhere):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await alice.api.get(ME, headers=headers)).status_code == 401
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        refused = await alice.api.post("/oauth/token", data=form)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


async def test_an_erased_account_cannot_sign_in(alice):
    await erase(alice)

    answer = await sign_in(alice.api, alice.email)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


async def test_the_address_is_free_for_a_new_account(alice):
    code = await make_code(alice)
    await join(alice.api, "bob", referral_code=code["code"])
    await erase(alice)

    newcomer = await join(alice.api, "alice")

    assert newcomer.id != alice.id
    assert await referrals_of(newcomer) == []
    assert (await newcomer.get("/api/v1/me/referral-codes")).json()["items"] == []


async def test_its_codes_are_not_found(alice, api):
    code = await make_code(alice)
    await erase(alice)

    assert (await api.get(f"/api/v1/referral-codes/{code['code']}")).status_code == 404
    found = await api.get("/api/v1/referral-codes/by-email", params={"email": alice.email})
    assert found.status_code == 404
    answer = await register(api, "bob", referral_code=code["code"])
    assert answer.json()["code"] == "code_not_usable"


async def test_its_code_is_never_issued_again(alice, mallory):
    await make_code(alice, code="ALICE-CODE")
    await erase(alice)

    answer = await mallory.post("/api/v1/me/referral-codes", {"lifetime": 3600, "code": "alice-c0de"})

    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")


async def test_a_referrer_keeps_the_referral_without_the_name(alice):
    code = await make_code(alice)
    bob = await join(alice.api, "bob", referral_code=code["code"], last_name="Builder")
    await erase(bob)

    [referral] = await referrals_of(alice)

    assert referral["referee"] == {"display_name": "A friend", "email_masked": None}
    assert referral["code"] == code["code"]


async def test_a_referee_sees_a_generic_referrer_name(alice):
    code = await make_code(alice)
    bob = await join(alice.api, "bob", referral_code=code["code"])
    await erase(alice)

    assert (await bob.get(ME)).json()["referred_by"] == "A friend"


async def test_no_personal_data_is_left(api, app, rows):
    wilma = await join(api, "wilma", first_name="Wilhelmina", last_name="Featherstone")
    [(stored,)] = await rows("SELECT password_hash FROM users")
    credentials = {"email": wilma.email, "password": PASSWORD}
    await api.post("/api/v1/sessions", json=credentials, headers={"User-Agent": "Wilhelminas-Tablet/1"})
    once = {"Idempotency-Key": "a-key"}
    body = {"lifetime": 3600, "code": "FEATHERSTONE-10"}
    await wilma.post("/api/v1/me/referral-codes", body, headers=once)
    bob = {"email": "bob@example.com", "password": PASSWORD, "referral_code": "FEATHERSTONE-10"}
    await api.post("/api/v1/users", json=bob, headers=once)
    before = "\n".join(await everything(app)).lower()

    assert (await erase(wilma)).status_code == 204

    traces = ["wilma@example", "wilhelmina", "featherstone", "feathers", stored.lower()]
    assert [trace for trace in traces if trace not in before] == []
    left = [row for row in await everything(app) if any(trace in row.lower() for trace in traces)]
    assert left == []


async def test_a_stored_response_does_not_repeat_an_erased_name(alice):
    code = (await make_code(alice))["code"]
    body = {"email": "bob@example.com", "password": PASSWORD, "referral_code": code}
    headers = {"Idempotency-Key": "a-key"}
    first = await alice.api.post("/api/v1/users", json=body, headers=headers)
    assert first.json()["referred_by"] == "Alice L."
    await erase(alice)

    answer = await alice.api.post("/api/v1/users", json=body, headers=headers)

    assert "Alice" not in answer.text


async def test_several_times_at_once_is_once(alice, rows):
    answers = await asyncio.gather(*(erase(alice) for _ in range(5)))

    assert min(answer.status_code for answer in answers) == 204
    assert {answer.status_code for answer in answers} <= {204, 401, 403}
    assert await rows("SELECT count(*) FROM users WHERE status = 'erased'") == [(1,)]


async def test_concurrent_requests_leave_nothing_active(alice, rows):
    code = await make_code(alice)
    refresh = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}

    await asyncio.gather(
        *(sign_in(alice.api, alice.email) for _ in range(3)),
        alice.api.post("/oauth/token", data=refresh),
        erase(alice),
        *(alice.post("/api/v1/me/referral-codes", {"lifetime": 60, "active": False}) for _ in range(3)),
        *(register(alice.api, f"friend{n}", referral_code=code["code"]) for n in range(3)),
    )

    assert await rows("SELECT count(*) FROM users WHERE status = 'erased'") == [(1,)]
    assert await rows(
        "SELECT count(*) FROM sessions JOIN users ON users.id = user_id"
        " WHERE status = 'erased' AND revoked_at IS NULL"
    ) == [(0,)]
    assert await rows("SELECT count(*) FROM referral_codes WHERE code IS NOT NULL OR retired_at IS NULL") == [
        (0,)
    ]
