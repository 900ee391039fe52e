"""POST /api/v1/referral-code-emails"""

import asyncio

import pytest

from asgi import client_of
from goodword.mail import unsubscribe
from mailboxes import Post
from people import make_code
from second_service import second_service

pytestmark = pytest.mark.one_database

PATH = "/api/v1/referral-code-emails"
ACCEPTED = {"detail": "The request was accepted. An e-mail is sent if there is something to send."}


async def ask(api, referrer="alice@example.com", email="bob@example.org", **options):
    return await api.post(PATH, json={"referrer_email": referrer, "email": email}, **options)


@pytest.fixture
def post(post):
    """The messages to those who ask for a code, without those to the owners."""

    class ToFriends:
        async def __call__(self):
            return [message for message in await post() if message.kind == "code_requested"]

        async def only(self, to):
            (message,) = await self()
            assert message.to == to
            return message

    return ToFriends()


@pytest.fixture
async def code(alice, post):
    found = await make_code(alice)
    await post()
    return found


async def test_sends_the_code_and_the_link(api, code, post):
    answer = await ask(api, referrer="ALICE@example.com")
    message = await post.only("bob@example.org")

    assert (answer.status_code, answer.json()) == (202, ACCEPTED)
    assert message.kind == "code_requested"
    assert code["code"] in message.text.splitlines()
    assert code["link"] in message.text.splitlines()
    assert "Alice L. shares this code" in message.text
    assert "alice@example.com" not in message.text
    assert "/unsubscribe?token=gwu_" in message.text


async def test_the_response_is_the_same_if_nothing_is_sent(api, alice, bob, mallory, clock, post):
    await make_code(alice, discoverable=False)
    await make_code(bob, lifetime=60)
    await post()
    clock.forward(seconds=61)

    answers = [
        await ask(api, referrer=email)
        for email in (alice.email, bob.email, mallory.email, "nobody@example.com")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert await post() == []


async def test_an_unknown_referrer_does_not_use_up_the_quota(api, code, post):
    await ask(api, referrer="alcie@example.com")
    await ask(api)

    assert len(await post()) == 1


@pytest.mark.parametrize("again", ["bob@example.org", "BOB@example.org", "bob+tag@example.org"])
async def test_an_address_receives_one_a_day(api, bob, code, post, clock, again):
    await make_code(bob, lifetime=3 * 86_400)
    await post()
    await ask(api)
    assert len(await post()) == 1

    clock.forward(hours=23)
    assert (await ask(api, referrer="bob@example.com", email=again)).json() == ACCEPTED
    assert await post() == []


async def test_another_is_sent_after_a_day(api, alice, post, clock):
    await make_code(alice, lifetime=3 * 86_400)
    await post()
    await ask(api)
    assert len(await post()) == 1

    clock.forward(hours=24)
    await ask(api)
    assert len(await post()) == 1


@pytest.mark.both_databases
async def test_concurrent_requests_from_many_networks_send_one(app, code, post):
    async def from_network(n):
        async with client_of(app, peer=f"198.51.{n}.7") as api:
            return await ask(api, email=f"victim+{n}@example.org")

    answers = await asyncio.gather(*(from_network(n) for n in range(12)))

    assert {answer.status_code for answer in answers} == {202}
    assert len(await post()) == 1


async def test_a_network_is_limited_to_five_an_hour(app, api, code, post, clock):
    answers = [await ask(api, email=f"friend{n}@example.org") for n in range(6)]
    async with client_of(app, peer="198.51.100.9") as elsewhere:
        other = await ask(elsewhere, email="friend6@example.org")

    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert answers[-1].json()["code"] == "too_many_emails"
    assert 3500 < int(answers[-1].headers["Retry-After"]) <= 3600
    assert other.status_code == 202
    assert len(await post()) == 6
    clock.forward(hours=1)
    assert (await ask(api, email="friend7@example.org")).status_code == 202


async def test_a_repeated_idempotency_key_sends_one_email(api, code, post, rows):
    key = {"Idempotency-Key": "once"}
    answers = [await ask(api, headers=key) for _ in range(7)]

    assert {answer.status_code for answer in answers} == {202}
    assert answers[-1].headers["Idempotency-Replayed"] == "true"
    assert len(await post()) == 1


async def test_the_email_is_in_the_language_of_the_request(api, code, post):
    await ask(api, headers={"Accept-Language": "ru"})

    message = await post.only("bob@example.org")
    assert "Alice L. делится этим кодом" in message.text
    assert '<html lang="ru"' in message.html


@pytest.mark.parametrize(("lookup", "status"), [("off", 202), ("authenticated", 401)])
async def test_respects_the_code_lookup_setting(api, code, database_url, tmp_path, rows, lookup, status):
    async with second_service(database_url, code_lookup=lookup, data_dir=tmp_path) as other:
        assert (await ask(other)).status_code == status
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'code_email'") == [(0,)]


async def test_nothing_is_sent_to_an_erased_user(app, api, code, bob, post):
    await post()
    await ask(api, email=bob.email)
    await bob.delete("/api/v1/me", json={"password": bob.password})

    assert await post() == []


async def test_the_owner_is_told_once_a_day_without_the_address(app, api, code, clock):
    post = Post(app)
    await ask(api)
    await ask(api, email="carol@example.org")
    found = [message for message in await post() if message.to == "alice@example.com"]

    assert [message.kind for message in found] == ["code_wanted"]
    assert "Hi Alice," in found[0].text
    assert f"We sent them your code {code['code']}" in found[0].text
    assert "example.org" not in found[0].text + found[0].html
    assert "/unsubscribe?token=gwu_" in found[0].text


async def test_the_owner_of_no_usable_code_is_told_too(app, api, bob):
    post = Post(app)
    await post()
    answer = await ask(api, referrer=bob.email)
    (message,) = await post()

    assert (answer.status_code, answer.json()) == (202, ACCEPTED)
    assert (message.kind, message.to) == ("code_wanted", bob.email)
    assert "Create a code:\nhttp://127.0.0.1:8000/\n" in message.text


@pytest.mark.parametrize("why", ["hidden", "disabled", "unsubscribed"])
async def test_other_owners_are_not_told(app, api, alice, rita, why):
    post = Post(app)
    await make_code(alice, discoverable=why != "hidden")
    await post()
    if why == "disabled":
        await rita.post(f"/api/v1/admin/users/{alice.id}/disable", json={})
    elif why == "unsubscribed":
        key = app.state.services.keys.unsubscribe
        body = {"token": unsubscribe.make_token(key, "alice@example.com")}
        await api.post("/api/v1/unsubscribes", json=body)
    await ask(api)

    assert [message.to for message in await post() if message.to == "alice@example.com"] == []
