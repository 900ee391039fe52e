"""Whoever is disabled or erased while they act: no session of theirs stays on, no code of theirs in force."""

import asyncio

import pytest
from sqlalchemy import text

from asgi import client_of, settings_for
from goodword.admin import service as administration
from goodword.db.database import Database
from people import PASSWORD, make_code, sign_in
from third_party import Browser, register_app


async def acting(api, alice, garden, code):
    """All that gives somebody a session, or a code that works: at the same moment."""
    refresh = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}
    credentials = {"email": alice.email, "password": PASSWORD}
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    activate = f"/api/v1/me/referral-codes/{code}/activate"
    requests = [
        *(sign_in(api, alice.email) for _ in range(3)),
        *(api.post("/sign-in", data=credentials, headers=own) for _ in range(2)),
        api.post("/oauth/token", data=refresh),
        garden,
        alice.post("/api/v1/me/referral-codes", {"lifetime": 3600}),
        alice.post("/api/v1/me/referral-codes", {"lifetime": 3600, "active": False}),
        alice.post(activate, {"replace": True}),
    ]
    return await asyncio.gather(*requests)


@pytest.mark.parametrize("how", ["disabled", "erased"])
@pytest.mark.parametrize("wait", [0, 0.005, 0.02])
async def test_nothing_survives(app, api, rita, alice, rows, how, wait):
    browser = Browser(client_of(app))
    await make_code(alice)
    prepared = (await make_code(alice, active=False))["code"]
    app_of_hers = await register_app(app, api, "https://garden.example/callback")
    await browser.sign_in(alice)
    traded = app_of_hers.exchange(await app_of_hers.code(browser))

    async def shut_out():
        await asyncio.sleep(wait)
        path = f"/api/v1/admin/users/{alice.id}"
        return await (rita.post(f"{path}/disable", None) if how == "disabled" else rita.delete(path))

    done, answers = await asyncio.gather(shut_out(), acting(api, alice, traded, prepared))

    assert done.status_code in (200, 204)
    assert {answer.status_code for answer in answers} <= {200, 201, 303, 400, 401, 404, 409, 503}
    live = await rows(
        "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id"
        " WHERE u.status <> 'active' AND s.revoked_at IS NULL"
    )
    assert live == [(0,)]
    for answer in answers:
        tokens = answer.json() if answer.headers.get("content-type") == "application/json" else {}
        if "access_token" in tokens:
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            assert (await api.get("/api/v1/me", headers=headers)).status_code == 401
        if "refresh_token" in tokens:
            refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            assert (await api.post("/oauth/token", data=refresh)).status_code in (400, 401)
        if "code" in tokens and answer.status_code in (200, 201):
            assert (await api.get(f"/api/v1/referral-codes/{tokens['code']}")).status_code == 404
    if how == "erased":
        in_force = "SELECT count(*) FROM referral_codes WHERE retired_at IS NULL OR code IS NOT NULL"
        assert await rows(in_force) == [(0,)]
    assert "You are signed in as" not in (await browser.get("/")).text
    await browser.client.aclose()


async def test_one_of_two_administrators_who_disable_each_other_stays(
    app, api, rita, alice, rows, database_url
):
    async with app.state.services.database.transaction() as session:
        user_id = await administration.find_id(session, alice.email)
        await administration.promote(session, app.state.services, user_id, now=app.state.services.clock())
    await alice.sign_in()
    elsewhere = Database.from_settings(settings_for(database_url))

    async with elsewhere.transaction() as session:
        await session.execute(text("UPDATE sessions SET place = place"))
        both = asyncio.gather(
            rita.post(f"/api/v1/admin/users/{alice.id}/disable", None),
            alice.post(f"/api/v1/admin/users/{rita.id}/disable", None),
        )
        await asyncio.sleep(0.5)  # both have come as far as they can
    answers = await both
    await elsewhere.close()

    assert sorted(answer.status_code for answer in answers) == [200, 404]
    assert await rows("SELECT count(*) FROM users WHERE is_admin AND status = 'active'") == [(1,)]
