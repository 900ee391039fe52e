"""POST /api/v1/admin/users/{user_id}/disable and /enable"""

import uuid

import pytest

from people import make_code, referrals_of, register, sign_in

PATH = "/api/v1/admin/users"


async def test_a_disabled_user_is_signed_out_at_once(api, rita, alice):
    answer = await rita.post(f"{PATH}/{alice.id}/disable", None)

    assert (answer.status_code, answer.json()["status"]) == (200, "disabled")
    known = await alice.get("/api/v1/me")
    assert known.status_code == 401
    assert known.json()["code"] == "invalid_token"
    refused = await sign_in(api, alice.email)
    unknown = await sign_in(api, "nobody@example.com")
    assert refused.status_code == 401
    assert refused.json() | {"request_id": 0} == unknown.json() | {"request_id": 0}
    refresh = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}
    assert (await api.post("/oauth/token", data=refresh)).json()["error"] == "invalid_grant"


async def test_codes_of_a_disabled_user_do_not_work(api, rita, alice):
    code = await make_code(alice)

    await rita.post(f"{PATH}/{alice.id}/disable", None)

    assert (await register(api, "bob", referral_code=code["code"])).json()["code"] == "code_not_usable"
    assert (await api.get(f"/api/v1/referral-codes/{code['code']}")).status_code == 404
    by_email = await api.get("/api/v1/referral-codes/by-email", params={"email": alice.email})
    assert by_email.status_code == 404


async def test_the_address_stays_taken_and_referrals_stay(api, rita, alice):
    code = await make_code(alice)
    await register(api, "bob", referral_code=code["code"])

    await rita.post(f"{PATH}/{alice.id}/disable", None)

    assert (await register(api, "alice")).json()["code"] == "email_taken"
    assert (await rita.get(f"/api/v1/users/{alice.id}/referrals")).json()["items"]


async def test_an_enabled_user_can_sign_in_again(api, rita, alice):
    code = await make_code(alice)
    await rita.post(f"{PATH}/{alice.id}/disable", None)

    answer = await rita.post(f"{PATH}/{alice.id}/enable", None)

    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert (await alice.get("/api/v1/me")).status_code == 401
    await alice.sign_in()
    assert (await alice.get("/api/v1/me")).status_code == 200
    assert (await register(api, "bob", referral_code=code["code"])).status_code == 201
    assert len(await referrals_of(alice)) == 1


@pytest.mark.parametrize("act", ["disable", "enable"])
async def test_repeating_changes_nothing(rita, alice, act):
    for _ in range(2):
        assert (await rita.post(f"{PATH}/{alice.id}/{act}", None)).status_code == 200


async def test_administrators_cannot_disable_themselves(rita):
    answer = await rita.post(f"{PATH}/{rita.id}/disable", None)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_yourself")
    assert (await rita.get("/api/v1/me")).status_code == 200


async def test_another_administrator_can_be_disabled(app, rita, alice):
    from goodword.admin import service

    async with app.state.services.database.transaction() as session:
        await service.promote(
            session, app.state.services, uuid.UUID(alice.id), now=app.state.services.clock()
        )
    await alice.sign_in()

    await rita.post(f"{PATH}/{alice.id}/disable", None)

    assert (await alice.get(PATH)).status_code == 404


@pytest.mark.parametrize("act", ["disable", "enable"])
async def test_an_unknown_user_is_refused(rita, alice, act):
    unknown = await rita.post(f"{PATH}/{uuid.uuid4()}/{act}", None)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "user_not_found")

    await rita.delete(f"{PATH}/{alice.id}")
    erased = await rita.post(f"{PATH}/{alice.id}/{act}", None)
    assert (erased.status_code, erased.json()["code"]) == (409, "user_erased")

    assert (await rita.post(f"{PATH}/no-id/{act}", None)).status_code == 422
