"""POST /api/v1/email-verifications and …/confirm: verify an address."""

import asyncio
import uuid
from collections import Counter

import pytest
from sqlalchemy import text

from asgi import Client
from goodword.users import addresses, verifications
from goodword.users.models import Purpose, User
from people import join, make_code, referrals_of, register
from second_service import second_service

ASK = "/api/v1/email-verifications"
CONFIRM = "/api/v1/email-verifications/confirm"


async def ask(api: Client, email: str):
    return await api.post(ASK, json={"email": email})


async def confirm(api: Client, token: object):
    return await api.post(CONFIRM, json={"token": token})


async def is_verified(person):
    return (await person.get("/api/v1/me")).json()["email_verified"]


async def test_a_registration_sends_a_message_with_a_token(api, alice, post):
    message = await post.only(alice.email)
    assert message.kind == "verify_email"
    assert message.link.startswith("http://127.0.0.1:8000/verify-email#token=gwv_")
    assert message.link in message.html
    assert not await is_verified(alice)

    answer = await confirm(api, message.token)

    assert (answer.status_code, answer.content) == (204, b"")
    assert await is_verified(alice)


async def test_a_registration_that_fails_sends_nothing(api, alice, post):
    await post()

    assert (await register(api, "alice")).status_code == 409
    assert (await register(api, "carol", referral_code="NOSUCHCODE")).status_code == 422

    assert await post() == []


async def test_a_message_is_sent_again_on_request(api, alice, post):
    await post()

    answer = await ask(api, "ALICE@example.com")

    assert answer.status_code == 202
    message = await post.only(alice.email)
    assert (await confirm(api, message.token)).status_code == 204


async def test_every_address_gets_the_same_response(api, alice, bob, post):
    await confirm(api, (await post(to=bob.email))[0].token)

    answers = [await ask(api, email) for email in (alice.email, bob.email, "nobody@example.com")]

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    sent = [message.to for message in await post() if message.kind == "verify_email"]
    assert sent == [alice.email], "Bob's address is verified"


async def test_a_newer_token_invalidates_an_older_one(api, alice, post):
    older = await post.only(alice.email)
    await ask(api, alice.email)
    newer = await post.only(alice.email)

    assert (await confirm(api, older.token)).status_code == 400
    assert (await confirm(api, newer.token)).status_code == 204


@pytest.mark.one_database
async def test_a_get_of_the_link_changes_nothing(api, alice, post):
    message = await post.only(alice.email)

    for path in ("/verify-email", CONFIRM, f"{CONFIRM}?token={message.token}"):
        assert (await api.get(path)).status_code in (200, 404, 405)

    assert not await is_verified(alice)
    assert (await confirm(api, message.token)).status_code == 204


async def test_every_bad_token_gets_one_answer(api, alice, bob, post, clock):
    hers, _ = await post()
    await api.post("/api/v1/password-resets", json={"email": alice.email})
    other_purpose = await post.only(alice.email)
    assert (await confirm(api, hers.token)).status_code == 204
    flipped = [hers.token[:n] + chr(ord(hers.token[n]) ^ 1) + hers.token[n + 1 :] for n in (0, 4, 20, 46)]
    bad = [
        hers.token,
        other_purpose.token,
        *flipped,
        "",
        "gwv_",
        "x" * 1000,
        "☃",
        hers.token + " ",
    ]

    answers = [await confirm(api, token) for token in bad]

    assert {answer.status_code for answer in answers} == {400}
    assert {answer.json()["code"] for answer in answers} == {"token_invalid"}
    assert len({answer.json()["detail"] for answer in answers}) == 1


async def test_a_token_ends_after_a_day(api, alice, bob, post, clock):
    hers, his = await post()
    clock.forward(hours=23, minutes=59)
    assert (await confirm(api, hers.token)).status_code == 204
    clock.forward(minutes=2)
    assert (await confirm(api, his.token)).status_code == 400


async def test_twenty_at_once_use_it_once(api, alice, post):
    message = await post.only(alice.email)

    answers = await asyncio.gather(*(confirm(api, message.token) for _ in range(20)))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 19}


@pytest.mark.one_database
@pytest.mark.parametrize("token", [None, 5, ["gwv_"], {"a": 1}, "x" * 1025, "gwv_\x00", "\ud800"])
async def test_invalid_tokens_are_rejected(api, token):
    body = '{"token": "\\ud800"}' if token == "\ud800" else None
    if body:
        answer = await api.post(CONFIRM, content=body, headers={"Content-Type": "application/json"})
    else:
        answer = await confirm(api, token)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.token"


@pytest.mark.one_database
@pytest.mark.parametrize(
    "email", ["", "alice", "a@b@c", "alice@example.com\r\nBcc: eve@example.com", "a" * 300]
)
async def test_invalid_addresses_are_rejected(api, email, rows):
    assert (await ask(api, email)).status_code == 422
    assert await rows("SELECT count(*) FROM jobs") == [(0,)]


async def test_an_address_gets_five_messages_an_hour(api, alice, post, clock):
    assert len(await post()) == 1
    statuses = [(await ask(api, alice.email)).status_code for _ in range(10)]
    assert statuses == [202] * 5 + [429] * 5
    messages = await post()
    assert [message.to for message in messages] == [alice.email] * 4
    assert (await confirm(api, messages[-1].token)).status_code == 204, "the last that was sent still works"


async def test_the_quota_is_renewed_after_an_hour(api, alice, post, clock):
    for _ in range(10):
        await ask(api, alice.email)
    assert len(await post()) == 5

    clock.forward(hours=1, seconds=1)
    await ask(api, alice.email)

    assert len(await post()) == 1


async def test_an_erasure_does_not_reset_the_quota_of_an_address(api, post):
    sent = []
    for _ in range(7):
        alice = await join(api, "alice")
        sent += await post()
        await alice.delete("/api/v1/me", json={"password": alice.password})

    assert [message.kind for message in sent] == ["verify_email"] * 5


async def test_concurrent_requests_of_several_users_send_an_address_five_messages(api, app, clock, post):
    users = [await join(api, f"user{n}") for n in range(8)]
    await post()
    services, address = app.state.services, addresses.parse("new@example.com")

    async def issue(person):
        async with services.database.transaction() as session:
            user = await session.get(User, uuid.UUID(person.id), with_for_update={"key_share": True})
            return await verifications.issue(
                session,
                user,
                Purpose.CHANGE_EMAIL,
                address,
                job_id=uuid.uuid4(),
                keys=services.keys,
                now=clock(),
            )

    assert len(list(filter(None, await asyncio.gather(*map(issue, users))))) == 5


@pytest.mark.one_database
async def test_a_hundred_requests_for_a_stranger_send_nothing(api, alice, post):
    await post()
    for _ in range(100):
        await ask(api, "stranger@example.com")

    assert await post() == []


async def test_a_disabled_or_erased_account_gets_no_message_and_its_token_is_invalid(
    api, alice, bob, app, post
):
    hers, his = await post()
    async with app.state.services.database.transaction() as session:
        await session.execute(
            text("UPDATE users SET status = 'disabled' WHERE email_key = 'alice@example.com'")
        )
    await bob.delete("/api/v1/me", json={"password": bob.password})

    await ask(api, alice.email)
    await ask(api, bob.email)

    assert await post() == []
    assert (await confirm(api, hers.token)).status_code == 400
    assert (await confirm(api, his.token)).status_code == 400


async def test_without_mail_a_referral_counts_at_once(api, alice):
    code = await make_code(alice)
    await join(api, "carol", referral_code=code["code"])

    assert (await referrals_of(alice))[0]["status"] == "confirmed"


async def test_with_mail_it_counts_when_the_address_is_verified(
    api, alice, post, database_url, tmp_path, clock
):
    code = await make_code(alice)
    await post()
    async with second_service(database_url, smtp_url="smtp://127.0.0.1:9", data_dir=tmp_path) as mailing:
        await join(mailing, "carol", referral_code=code["code"])
    pending = (await referrals_of(alice))[0]
    assert (pending["status"], pending["confirmed_at"]) == ("pending", None)

    await confirm(api, (await post.only("carol@example.com")).token)

    confirmed = (await referrals_of(alice))[0]
    assert confirmed["status"] == "confirmed"
    assert confirmed["confirmed_at"] > confirmed["created_at"]


async def test_a_rejected_referral_stays_rejected(api, alice, app, post):
    code = await make_code(alice)
    await join(api, "carol", referral_code=code["code"])
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE referrals SET status = 'rejected'"))

    await confirm(api, (await post(to="carol@example.com"))[0].token)

    assert (await referrals_of(alice))[0]["status"] == "rejected"


async def test_the_token_itself_is_stored_nowhere(api, alice, app, post):
    from goodword.tables import Base

    message = await post.only(alice.email)
    for table in Base.metadata.sorted_tables:
        for row in await app.state.services.database.rows(table.select()):
            assert message.token not in str(tuple(row))
            assert message.token.removeprefix("gwv_") not in str(tuple(row))


async def test_a_token_verifies_only_the_address_that_it_was_sent_to(api, alice, app, post):
    message = await post.only(alice.email)
    async with app.state.services.database.transaction() as session:
        await session.execute(
            text("UPDATE users SET email_key = 'eve@example.com' WHERE email_key LIKE 'alice%'")
        )

    assert (await confirm(api, message.token)).status_code == 400
