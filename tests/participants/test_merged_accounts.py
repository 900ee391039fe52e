"""Sessions and sign-ups of accounts that become one with a participant."""

import pytest

from asgi import client_of
from goodword.attribution.service import Claim
from goodword.signup import service as signup
from participants.conftest import verify
from people import join, sign_in
from third_party import Browser

pytestmark = pytest.mark.one_database


async def test_sessions_of_the_account_stay_and_those_of_embeds_end(acme, api, post, rows):
    await acme.report("pat", email="pat@example.com")
    embed = (await acme.post("pat", "/tokens")).json()["access_token"]
    account = await join(api, "pat")

    await verify(account, post)

    live = "SELECT count(*) FROM sessions WHERE client = 'embed' AND revoked_at IS NULL"
    assert await rows(live) == [(0,)]
    assert (await account.get("/api/v1/me")).status_code == 200
    headers = {"Authorization": f"Bearer {embed}"}
    assert (await api.get("/api/v1/me/referrals", headers=headers)).status_code == 401
    assert (await sign_in(api, account.email)).status_code == 201
    assert (await acme.post("pat", "/tokens")).status_code == 201


@pytest.mark.both_databases
async def test_a_sign_up_with_a_provider_that_has_verified_the_address_merges(acme, app, rows):
    carol, dora = await acme.report("carol"), await acme.report("dora")
    pat = await acme.report("pat", email="pat@example.com", referral_code=carol["code"]["code"])
    services = app.state.services

    async with services.database.transaction() as session:
        registered = await signup.register(
            session,
            services,
            email="pat@example.com",
            password_hash=None,
            first_name="Pat",
            last_name=None,
            language="en",
            claim=Claim(dora["code"]["code"]),
            email_verified=True,
        )

    merged = await acme.read("pat")
    assert merged["id"] == str(registered.user.id)
    assert merged["referral"]["id"] == pat["referral"]["id"]
    statuses = await rows("SELECT status, reason FROM referrals ORDER BY status")
    assert statuses == [("confirmed", None), ("rejected", "already_referred")]


async def test_the_account_sees_and_ends_the_session_of_an_embed(acme, app, api, post):
    await acme.report("pat", email="pat@example.com")
    account = await join(api, "pat")
    await verify(account, post)
    token = (await acme.post("pat", "/tokens")).json()["access_token"]
    (session,) = [
        one for one in (await account.get("/api/v1/me/sessions")).json()["items"] if not one["current"]
    ]
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(account)
        assert (await browser.get("/account")).status_code == 200

    assert (await account.delete(f"/api/v1/me/sessions/{session['id']}")).status_code == 204

    headers = {"Authorization": f"Bearer {token}"}
    assert (await api.get("/api/v1/me/referrals", headers=headers)).status_code == 401
