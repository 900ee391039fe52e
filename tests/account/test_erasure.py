"""F08, F10: an erasure leaves no personal data, also with concurrent requests."""

import asyncio
import os
import time

import pytest

from asgi import client_of, run_due_jobs, running, settings_for
from audit_table import seal, verify
from database_search import find_words
from goodword.app import create_app
from people import PASSWORD, bring, join, make_code, referrals_of, register, sign_in
from third_party import Browser, register_app

NAMES = ("xaviera", "quillfeather", "XAVIERAS-OWN", "XAV1ERAS0WN")
"""Her address, her names, her code as shown and as normalised."""


async def live_fully(app, api, post, rita):
    """Somebody whose name stands wherever it can."""
    xaviera = await join(api, "xaviera", last_name="Quillfeather")
    await bring(xaviera, "bob", code="XAVIERAS-OWN")
    bob = await join(api, "bobs-friend")
    await api.get("/api/v1/referral-codes/xavieras-own")
    await api.get("/api/v1/referral-codes/by-email", params={"email": xaviera.email})
    browser = Browser(api)
    await browser.sign_in(xaviera)
    garden = await register_app(app, api, "https://garden.example/callback")
    await garden.let_in(browser)
    await xaviera.post("/api/v1/me/invitations", {"email": "dave@example.org"})
    await bob.post("/api/v1/me/email-changes", {"email": xaviera.email, "password": PASSWORD})
    await xaviera.post("/api/v1/me/email-changes", {"email": "xaviera@example.org", "password": PASSWORD})
    body = {"lifetime": 3600, "active": False, "code": "XAVIERAS-OTHER"}
    await xaviera.post("/api/v1/me/referral-codes", body, headers={"Idempotency-Key": "once"})
    for _ in range(6):
        await sign_in(api, xaviera.email, "wrong password")
    (referral,) = await referrals_of(xaviera)
    reason = {"reason": "Xaviera Quillfeather is Bob"}
    await rita.post(f"/api/v1/admin/referrals/{referral['id']}/reject", reason)
    await run_due_jobs(app)
    await api.post("/api/v1/password-resets", json={"email": xaviera.email})
    return xaviera


@pytest.mark.parametrize("by", ["herself", "an administrator"])
async def test_f08_erasure_leaves_no_personal_data(app, api, post, rita, caplog, capsys, by):
    xaviera = await live_fully(app, api, post, rita)
    messages = app.state.services.settings.data_dir / "emails"
    before = {path.name for path in messages.glob("*.eml")}
    assert {table for table, _ in await find_words(app, *NAMES)} >= {
        "users",
        "referral_codes",
        "verifications",
        "jobs",
    }

    if by == "herself":
        answer = await xaviera.delete("/api/v1/me", json={"password": PASSWORD})
    else:
        answer = await rita.delete(f"/api/v1/admin/users/{xaviera.id}")
    assert answer.status_code == 204
    assert await find_words(app, *NAMES) == set(), "at once, in the database"
    await run_due_jobs(app)

    assert await find_words(app, *NAMES) == set()
    kept = {path.name: path.read_text().lower() for path in messages.glob("*.eml")}
    assert not [name for name, message in kept.items() for word in NAMES if word.lower() in message]
    assert before - kept.keys(), "those that were to her, or named her"
    assert kept.keys() & before, "those of others stay"
    folder = app.state.services.settings.data_dir
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            assert not [word for word in NAMES if word.lower().encode() in content], path.name
    logged = (caplog.text + "".join(capsys.readouterr())).lower()
    assert not [word for word in NAMES if word.lower() in logged]
    await seal(app)
    await verify(app)


async def test_f08_erasure_clears_ip_addresses(app, api, rita, rows):
    async with client_of(app, peer="192.0.2.7") as hers:
        xaviera = await join(hers, "xaviera")
        await xaviera.delete("/api/v1/me", json={"password": PASSWORD})
    assert await rows("SELECT count(*) FROM audit_events WHERE address = '192.0.2.7'") != [(0,)]

    await run_due_jobs(app)

    assert await rows("SELECT count(*) FROM audit_events WHERE address = '192.0.2.7'") == [(0,)]
    assert await rows("SELECT count(*) FROM audit_events WHERE address IS NULL") != [(0,)]
    await verify(app)


async def test_f08_messages_to_a_new_account_with_the_address_stay(app, api, alice, post, clock):
    await alice.delete("/api/v1/me", json={"password": PASSWORD})
    await post()
    await register(api, "alice")
    (message,) = await post()
    assert message.to == alice.email
    await api.post("/api/v1/password-resets", json={"email": alice.email})
    await run_due_jobs(app)
    for path in (app.state.services.settings.data_dir / "emails").glob("*.eml"):
        os.utime(path, times=(time.time() + 90,) * 2)
    clock.forward(minutes=3)

    assert [message.kind for message in await post()] == ["reset_password"]


async def test_f08_messages_to_a_new_account_created_immediately_stay(api, alice, post):
    await alice.delete("/api/v1/me", json={"password": PASSWORD})
    await register(api, "alice")

    assert [(message.kind, message.to) for message in await post()] == [("verify_email", alice.email)]


async def test_f08_erasure_clears_the_shared_cache(
    database_url, app, redis, valkey_url, rita, api, post, tmp_path
):
    settings = settings_for(database_url, redis_url=valkey_url, data_dir=tmp_path)
    async with running(create_app(settings)) as other, client_of(other) as cached:
        xaviera = await join(cached, "xaviera", last_name="Quillfeather")
        await make_code(xaviera, code="XAVIERAS-OWN")
        await redis.flushall()  # the news of it, beside which nothing is kept for some seconds

        async def kept():
            keys = [key async for key in redis.scan_iter()]
            kinds = [(key, await redis.type(key)) for key in keys]
            return b" ".join(
                [*keys, *[await redis.get(key) or b"" for key, kind in kinds if kind == b"string"]]
            ).lower()

        async with asyncio.timeout(60):
            # A node keeps nothing there while it has not heard from it for a moment.
            while b"xaviera" not in await kept():
                await cached.get("/api/v1/referral-codes/xavieras-own")
                await cached.get("/api/v1/referral-codes/by-email", params={"email": xaviera.email})
        await xaviera.delete("/api/v1/me", json={"password": PASSWORD})

        assert not [word for word in NAMES if word.lower().encode() in await kept()]


async def test_f08_erasure_deletes_reasons_and_keeps_the_count(app, api, post, rita, rows):
    xaviera = await live_fully(app, api, post, rita)
    await rita.delete(f"/api/v1/admin/users/{xaviera.id}")

    assert await rows("SELECT status, reason FROM referrals") == [("rejected", None)]


async def test_f10_concurrent_requests_leave_nothing_after_an_erasure(app, api, rows):
    """Sign-in, refresh, new codes, friends, changes of name and address, all while the account is erased."""
    for number in range(4):
        xaviera = await join(api, "xaviera", last_name="Quillfeather")
        code = await make_code(xaviera)
        token = {"grant_type": "refresh_token", "refresh_token": xaviera.tokens["refresh_token"]}
        later = {"lifetime": 3600, "active": False}
        change = {"email": "xaviera@example.org", "password": PASSWORD}

        async def erase(who=xaviera):
            await asyncio.sleep(0.02)
            return await who.delete("/api/v1/me", json={"password": PASSWORD})

        work = [
            *(
                sign_in(api, xaviera.email) for _ in range(4)
            ),  # five wrong passwords would lock the next sign-in
            *(api.post("/oauth/token", data=token) for _ in range(5)),
            *(xaviera.post("/api/v1/me/referral-codes", later) for _ in range(5)),
            *(register(api, f"friend{number}-{n}", referral_code=code["code"]) for n in range(8)),
            xaviera.patch("/api/v1/me", {"first_name": "Xaviera II"}),
            xaviera.post("/api/v1/me/email-changes", change),
            api.post("/api/v1/password-resets", json={"email": xaviera.email}),
            erase(),
        ]
        answers = await asyncio.gather(*work)
        assert answers[-1].status_code == 204
        assert not [one for one in answers if one.status_code >= 500 and one.status_code != 503]
        await run_due_jobs(app)

        names = [name for name in NAMES if name != "quillfeather"]
        assert await find_words(app, *names, "quillfeather", code["code"]) == set()
        friends = [one for one in answers[14:22] if one.status_code == 201]
        made = await rows("SELECT count(*) FROM referrals JOIN users ON users.id = referee_id")
        assert made[0][0] >= len(friends), "I4"
        assert await rows(
            "SELECT count(*) FROM sessions JOIN users ON users.id = user_id "
            "WHERE revoked_at IS NULL AND status = 'erased'"
        ) == [(0,)], "I8"
        assert await rows(
            "SELECT count(*) FROM referral_codes JOIN users ON users.id = owner_id "
            "WHERE status = 'erased' AND (retired_at IS NULL OR code IS NOT NULL)"
        ) == [(0,)]
        assert await rows("SELECT count(*) FROM users WHERE status = 'erased'") == [(number + 1,)]
    await seal(app)
    await verify(app)
