"""POST /api/v1/password-resets and …/confirm: set a new password."""

import asyncio
from collections import Counter

import pytest

from asgi import Client
from people import PASSWORD, join, make_code, referrals_of, sign_in
from second_service import second_service

ASK = "/api/v1/password-resets"
CONFIRM = "/api/v1/password-resets/confirm"
OWN = "/api/v1/me/password"
NEW = "eight lanterns in the valley"


async def ask(api: Client, email: str, **options):
    return await api.post(ASK, json={"email": email}, **options)


async def confirm(api: Client, token: str, password: str = NEW):
    return await api.post(CONFIRM, json={"token": token, "password": password})


async def request_reset(api, post, person):
    await post()
    await ask(api, person.email)
    return await post.only(person.email)


async def test_it_sets_the_password_and_ends_every_session(api, alice, post):
    message = await request_reset(api, post, alice)
    assert message.kind == "reset_password"
    assert message.link.startswith("http://127.0.0.1:8000/reset-password#token=gwv_")

    answer = await confirm(api, message.token)

    assert (answer.status_code, answer.content) == (204, b"")
    assert "set-cookie" not in answer.headers
    assert (await alice.get("/api/v1/me")).status_code == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}
    assert (await api.post("/oauth/token", data=refresh)).status_code == 400
    assert (await sign_in(api, alice.email, PASSWORD)).status_code == 401
    assert (await sign_in(api, alice.email, NEW)).status_code == 201


async def test_its_owner_is_told(api, alice, post):
    message = await request_reset(api, post, alice)

    await confirm(api, message.token)

    assert (await post.only(alice.email)).kind == "password_changed"


async def test_a_reset_verifies_the_address(api, alice, post):
    message = await request_reset(api, post, alice)
    await confirm(api, message.token)
    alice.password = NEW
    await alice.sign_in()

    assert (await alice.get("/api/v1/me")).json()["email_verified"] is True


async def test_a_pending_referral_is_confirmed_by_it(api, alice, post, database_url, tmp_path):
    code = await make_code(alice)
    async with second_service(database_url, smtp_url="smtp://127.0.0.1:9", data_dir=tmp_path) as mailing:
        carol = await join(mailing, "carol", referral_code=code["code"])
    assert (await referrals_of(alice))[0]["status"] == "pending"

    await confirm(api, (await request_reset(api, post, carol)).token)

    assert (await referrals_of(alice))[0]["status"] == "confirmed"


async def test_known_and_unknown_addresses_are_handled_alike(api, alice, post, rows):
    await post()

    known, unknown = [await ask(api, email) for email in (alice.email, "nobody@example.com")]

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.status_code == 202
    waiting = await rows("SELECT kind, attempts, user_id FROM jobs WHERE finished_at IS NULL")
    assert waiting == [("reset_password", 0, None)] * 2
    assert await rows("SELECT count(*) FROM verifications WHERE purpose = 'reset_password'") == [(0,)]
    assert [message.to for message in await post()] == [alice.email]


async def test_a_finished_job_contains_no_address(api, alice, post, rows):
    await ask(api, alice.email)
    await ask(api, "nobody@example.com")
    await post()

    assert set(await rows("SELECT payload, outcome FROM jobs")) == {("{}", "done")}


async def test_a_token_works_once(api, alice, post):
    message = await request_reset(api, post, alice)
    assert (await confirm(api, message.token)).status_code == 204

    again = await confirm(api, message.token, "nine lanterns in the forest")

    assert (again.status_code, again.json()["code"]) == (400, "token_invalid")
    assert (await sign_in(api, alice.email, NEW)).status_code == 201


async def test_twenty_at_once_set_one_password(api, alice, post):
    message = await request_reset(api, post, alice)
    passwords = [f"{NEW} {n}" for n in range(20)]

    answers = await asyncio.gather(*(confirm(api, message.token, password) for password in passwords))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 19}
    winner = next(password for password, answer in zip(passwords, answers, strict=True) if answer.is_success)
    assert (await sign_in(api, alice.email, winner)).status_code == 201


async def test_it_ends_after_half_an_hour(api, alice, post, clock):
    message = await request_reset(api, post, alice)
    clock.forward(minutes=30)

    assert (await confirm(api, message.token)).json()["code"] == "token_invalid"


async def test_it_is_good_until_then(api, alice, post, clock):
    message = await request_reset(api, post, alice)
    clock.forward(minutes=29, seconds=50)

    assert (await confirm(api, message.token)).status_code == 204


async def test_a_newer_one_ends_it(api, alice, post):
    older = await request_reset(api, post, alice)
    newer = await request_reset(api, post, alice)

    assert (await confirm(api, older.token)).status_code == 400
    assert (await confirm(api, newer.token)).status_code == 204


async def test_a_change_of_password_ends_it(api, alice, post):
    message = await request_reset(api, post, alice)
    body = {"current_password": PASSWORD, "new_password": "nine lanterns in the forest"}
    assert (await alice.call("PUT", "/api/v1/me/password", json=body)).status_code == 204

    assert (await confirm(api, message.token)).status_code == 400


async def test_a_change_of_address_ends_it(api, alice, post):
    message = await request_reset(api, post, alice)
    await alice.post("/api/v1/me/email-changes", {"email": "alice@example.org", "password": PASSWORD})
    change = (await post(to="alice@example.org"))[0]
    answer = await api.post("/api/v1/me/email-changes/confirm", json={"token": change.token})
    assert answer.status_code == 204

    assert (await confirm(api, message.token)).status_code == 400


@pytest.mark.parametrize("requested", ["before", "and waiting"])
async def test_it_drops_a_change_of_address(api, alice, post, requested):
    message = await request_reset(api, post, alice)
    await alice.post("/api/v1/me/email-changes", {"email": "eve@example.com", "password": PASSWORD})
    change = (await post(to="eve@example.com"))[0] if requested == "before" else None

    assert (await confirm(api, message.token)).status_code == 204

    if change:
        answer = await api.post("/api/v1/me/email-changes/confirm", json={"token": change.token})
        assert answer.json()["code"] == "token_invalid"
    assert [message.kind for message in await post()] == ["password_changed"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("p" * 257, "password_too_long"),
        ("password123", "password_too_common"),
        ("alice@example.com", "password_too_personal"),
        ("Alice Liddell", "password_too_personal"),
    ],
)
async def test_a_refused_password_does_not_use_the_token_up(api, alice, post, password, code):
    message = await request_reset(api, post, alice)

    answer = await confirm(api, message.token, password)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("body.password", code)]
    assert (await confirm(api, message.token)).status_code == 204


async def test_an_invalid_token_reveals_nothing_about_the_user(api, alice):
    # Only the holder of a token learns whether a password contains personal data.
    answer = await confirm(api, "gwv_" + "x" * 43, "alice@example.com")

    assert answer.json()["code"] == "token_invalid"


@pytest.mark.one_database
async def test_the_link_has_the_configured_host(api, alice, post):
    await post()
    evil = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
    evil |= {"Forwarded": "host=evil.example", "Origin": "https://evil.example"}

    assert (await ask(api, alice.email, headers=evil)).status_code == 202
    assert (await ask(api, alice.email, headers={"Host": "evil.example"})).status_code == 400

    message = await post.only(alice.email)
    assert message.link.startswith("http://127.0.0.1:8000/")
    assert "evil" not in message.text + message.html + message.message_id


async def test_an_address_gets_five_messages_an_hour(api, alice, post, clock):
    await post()
    statuses = [(await ask(api, alice.email)).status_code for _ in range(8)]
    assert statuses == [202] * 5 + [429] * 3
    assert len(await post()) == 5
    clock.forward(minutes=59)
    await ask(api, alice.email)
    assert await post() == []
    clock.forward(minutes=2)
    await ask(api, alice.email)
    assert len(await post()) == 1


async def test_the_quota_holds_if_nodes_count_requests_separately(database_url, api, alice, post, clock):
    await post()
    async with second_service(database_url, clock=clock) as other:
        statuses = [(await ask(node, alice.email)).status_code for node in (api, other) for _ in range(4)]

    assert statuses == [202] * 8
    assert len(await post()) == 5


async def test_messages_to_other_addresses_do_not_count(api, alice, bob, post):
    await post()
    for _ in range(6):
        await ask(api, alice.email)
    await post()

    await ask(api, bob.email)

    assert (await post.only(bob.email)).kind == "reset_password"


@pytest.mark.one_database
async def test_a_body_needs_both_fields_and_no_more(api):
    for body in ({"token": "gwv_"}, {"password": NEW}, {}, {"token": "a", "password": NEW, "email": "x"}):
        assert (await api.post(CONFIRM, json=body)).status_code == 422


async def guess(api, alice, clock):
    """Guess until the next sign-in, and the next change of the password, have to wait for minutes."""
    for failures in range(14):
        await sign_in(api, alice.email, "wrong")
        await alice.call("PUT", OWN, json={"current_password": "wrong", "new_password": NEW})
        clock.forward(seconds=2 ** max(failures - 4, 0) if failures < 13 else 0)


async def test_a_reset_lifts_the_wait_after_wrong_passwords(api, alice, post, clock):
    await guess(api, alice, clock)
    assert (await sign_in(api, alice.email)).status_code == 429
    message = await request_reset(api, post, alice)

    await confirm(api, message.token)

    alice.password = NEW
    await alice.sign_in()
    back = {"current_password": NEW, "new_password": PASSWORD}
    assert (await alice.call("PUT", OWN, json=back)).status_code == 204


async def test_a_refused_reset_does_not_lift_the_wait(api, alice, post, clock):
    message = await request_reset(api, post, alice)
    await guess(api, alice, clock)

    assert (await confirm(api, message.token, "short")).status_code == 422
    assert (await confirm(api, "gwv_unknown")).status_code == 400

    assert (await sign_in(api, alice.email)).status_code == 429
