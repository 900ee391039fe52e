"""POST /api/v1/me/email-changes and …/confirm: another address."""

import asyncio
from collections import Counter

import pytest

from goodword.account import emails
from goodword.jobs import service as jobs
from goodword.users.models import Purpose
from people import PASSWORD, join, register, sign_in

ASK = "/api/v1/me/email-changes"
CONFIRM = "/api/v1/me/email-changes/confirm"
NEW = "alice@example.org"


async def ask(person, email=NEW, password=PASSWORD):
    return await person.post(ASK, {"email": email, "password": password})


async def confirm(api, token):
    return await api.post(CONFIRM, json={"token": token})


@pytest.fixture
async def change(alice, post):
    """Return the message to Alice's new address."""
    await post()
    assert (await ask(alice)).status_code == 202
    return (await post(to=NEW))[0]


async def email_of(person):
    return (await person.get("/api/v1/me")).json()["email"]


@pytest.mark.one_database
async def test_both_addresses_get_a_message_and_nothing_changes_yet(api, alice, post):
    await post()

    answer = await ask(alice)

    assert answer.status_code == 202
    found = await post()
    assert {(message.kind, message.to) for message in found} == {
        ("change_email", NEW),
        ("email_change_asked", alice.email),
    }
    assert len({message.message_id for message in found}) == 2
    assert await email_of(alice) == alice.email
    assert (await sign_in(api, NEW)).status_code == 401


async def test_the_token_changes_it_for_anyone_who_has_it(api, alice, change, post):
    answer = await confirm(api, change.token)

    assert (answer.status_code, answer.content) == (204, b"")
    me = (await alice.get("/api/v1/me")).json()
    assert (me["email"], me["email_verified"]) == (NEW, True)
    assert (await sign_in(api, NEW)).status_code == 201
    assert (await sign_in(api, alice.email)).status_code == 401
    assert (await post.only(alice.email)).kind == "email_changed"


async def test_the_old_address_is_free(api, alice, change):
    await confirm(api, change.token)

    assert (await register(api, "alice")).status_code == 201


async def test_a_taken_address_gets_the_same_response(api, alice, bob, post):
    await post()

    free, taken = await ask(alice), await ask(alice, bob.email.upper())

    assert (free.status_code, free.content) == (taken.status_code, taken.content)
    found = await post()
    assert Counter((message.kind, message.to) for message in found) == {
        ("change_email", NEW): 1,
        ("email_change_asked", alice.email): 2,
        ("address_wanted", bob.email): 1,
    }
    assert all("#token=" not in message.text for message in found if message.to != NEW)
    assert await email_of(bob) == bob.email


async def test_a_request_for_a_taken_address_ends_an_earlier_change(api, alice, bob, change, post):
    """Prevent that the first token reveals whether the second address has an account."""
    await ask(alice, bob.email)
    await post()

    assert (await confirm(api, change.token)).status_code == 400


@pytest.mark.one_database
async def test_it_is_refused_without_the_right_password(api, alice, post):
    await post()

    answer = await ask(alice, password="eight lanterns on the hill")

    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
    assert (await api.post(ASK, json={"email": NEW, "password": PASSWORD})).status_code == 401
    assert (await alice.post(ASK, {"email": NEW})).status_code == 422
    assert (await ask(alice, email="nonsense")).status_code == 422
    assert await post() == []


async def test_a_token_works_once_within_a_day_and_for_nothing_else(api, alice, change, clock):
    verify = await api.post("/api/v1/email-verifications/confirm", json={"token": change.token})
    assert verify.status_code == 400
    body = {"token": change.token, "password": "eight lanterns in the valley"}
    assert (await api.post("/api/v1/password-resets/confirm", json=body)).status_code == 400
    assert (await confirm(api, change.token)).status_code == 204
    assert (await confirm(api, change.token)).status_code == 400


async def test_it_ends_after_a_day(api, alice, change, clock):
    clock.forward(hours=24)

    answer = await confirm(api, change.token)

    assert (answer.status_code, answer.json()["code"]) == (400, "token_invalid")


async def test_a_newer_request_ends_it(api, alice, change, post):
    await ask(alice, "alice@example.net")
    newer = (await post(to="alice@example.net"))[0]

    assert (await confirm(api, change.token)).status_code == 400
    assert (await confirm(api, newer.token)).status_code == 204
    assert await email_of(alice) == "alice@example.net"


async def test_it_fails_if_the_address_was_taken_meanwhile(api, alice, change, post):
    carol = await join(api, "carol", email=NEW)
    await post()

    answer = await confirm(api, change.token)

    assert (answer.status_code, answer.json()["code"]) == (400, "token_invalid")
    assert await email_of(alice) == "alice@example.com"
    assert await email_of(carol) == NEW
    assert await post() == []


async def test_concurrent_confirmations_of_one_address_succeed_once(api, alice, bob, change, post):
    await ask(bob, NEW)
    his = (await post(to=NEW))[0]

    answers = await asyncio.gather(confirm(api, change.token), confirm(api, his.token))

    assert sorted(answer.status_code for answer in answers) == [204, 400]
    assert sorted([await email_of(alice) == NEW, await email_of(bob) == NEW]) == [False, True]


async def test_it_invalidates_a_token_for_the_old_address(api, alice, post):
    verify = await post.only(alice.email)
    await ask(alice)
    await confirm(api, (await post(to=NEW))[0].token)

    answer = await api.post("/api/v1/email-verifications/confirm", json={"token": verify.token})

    assert answer.status_code == 400


async def test_the_spelling_of_an_address_can_be_changed(api, alice, post):
    await ask(alice, "Alice@Example.com")

    message = (await post(to="Alice@Example.com"))[0]

    assert (await confirm(api, message.token)).status_code == 204
    assert await email_of(alice) == "Alice@Example.com"


async def test_an_address_gets_five_changes_an_hour(api, alice, bob, mallory, post):
    await post()
    for _ in range(4):
        await ask(alice, "stranger@example.com")
        await ask(mallory, "stranger@example.com")
        await ask(mallory, bob.email)

    counts = Counter(message.to for message in await post())

    assert counts["stranger@example.com"] <= 5
    assert counts[bob.email] <= 5
    assert counts[mallory.email] <= 5


@pytest.mark.one_database
async def test_messages_go_to_international_addresses(api, alice, post):
    address = "älice@bücher.example"
    await post()
    assert (await ask(alice, address)).status_code == 202

    message = (await post(to=address))[0]

    assert (await confirm(api, message.token)).status_code == 204
    assert await email_of(alice) == address


async def test_a_withdrawn_request_sends_no_message(app, alice, post):
    await post()
    await ask(alice)
    services = app.state.services
    async with services.database.transaction() as session:
        work = await jobs.claim(
            session, Purpose.CHANGE_EMAIL, worker_id="a slow worker", now=services.clock()
        )
    body = {"current_password": PASSWORD, "new_password": "eight lanterns in the valley"}
    assert (await alice.call("PUT", "/api/v1/me/password", json=body)).status_code == 204

    await emails.change_email(services, work)

    assert [message.kind for message in await post()] == ["password_changed"]


async def test_a_message_sent_twice_has_one_id_and_the_later_token_works(api, app, alice, post, clock):
    """Its worker died between sending and saying so."""
    await post()
    await ask(alice)
    services = app.state.services
    async with services.database.transaction() as session:
        work = await jobs.claim(session, Purpose.CHANGE_EMAIL, worker_id="about to die", now=services.clock())
    await emails.change_email(services, work)
    first = next(message for message in post.kept() if message.to == NEW)
    clock.forward(seconds=61)

    second = (await post(to=NEW))[0]

    assert second.message_id == first.message_id
    assert (await confirm(api, first.token)).status_code == 400
    assert (await confirm(api, second.token)).status_code == 204
