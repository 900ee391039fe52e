"""GET /api/v1/me"""

from people import join, make_code

KEYS = {"id", "email", "email_verified", "first_name", "last_name", "created_at", "referred_by"}


async def test_it_shows_the_account(alice):
    answer = await alice.get("/api/v1/me")

    assert answer.status_code == 200
    assert answer.json() == alice.account
    assert answer.json().keys() == KEYS | {"profile"}


async def test_it_shows_the_referrer(alice):
    code = await make_code(alice)
    bob = await join(alice.api, "bob", referral_code=code["code"])

    assert (await bob.get("/api/v1/me")).json()["referred_by"] == "Alice L."


async def test_it_shows_the_current_name_of_the_referrer(alice):
    code = await make_code(alice)
    bob = await join(alice.api, "bob", referral_code=code["code"])
    await alice.patch("/api/v1/me", {"first_name": "Lorina"})

    assert (await bob.get("/api/v1/me")).json()["referred_by"] == "Lorina L."


async def test_it_needs_a_token(api):
    answer = await api.get("/api/v1/me")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
