"""POST /api/v1/me/invitations"""

import asyncio
import re
from dataclasses import replace
from uuid import UUID

import pytest

from asgi import client_of
from concurrency import at_once
from goodword.handlers import HANDLERS
from goodword.invitations import emails
from goodword.jobs import service as jobs
from goodword.mail import delivery
from goodword.tables import Base
from goodword.users import addresses, service as users
from people import Person, join, make_code, register
from second_service import second_service

PATH = "/api/v1/me/invitations"
ACCEPTED = {"detail": "The request was accepted. An e-mail is sent if there is something to send."}


@pytest.fixture
async def carol(api, post):
    """Return Carol, who has a code. All mailboxes are empty."""
    person = await join(api, "carol", last_name="Danvers")
    await make_code(person)
    await post()
    return person


async def code_of(person):
    return (await person.get("/api/v1/me/referral-codes")).json()["items"][0]


async def invite(person, email, **options):
    return await person.post(PATH, {"email": email}, **options)


async def test_sends_the_code_and_an_unsubscribe_link(carol, post):
    code = await code_of(carol)
    answer = await invite(carol, "dave@example.org")
    message = await post.only("dave@example.org")

    assert (answer.status_code, answer.json()) == (202, ACCEPTED)
    assert message.kind == "invitation"
    assert "Carol D. invites you" in message.text
    assert code["link"] in message.text.splitlines()
    assert code["code"] in message.text
    assert re.search(r"^http://127.0.0.1:8000/unsubscribe\?token=gwu_\S{64}$", message.text, re.MULTILINE)
    assert carol.email not in message.text + message.html


async def test_requires_a_usable_code(api, alice, bob, clock, post):
    answer = await invite(alice, "dave@example.org")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_active_code")

    code = await make_code(alice, max_uses=1)
    await register(api, "erin", referral_code=code["code"])
    assert (await invite(alice, "dave@example.org")).status_code == 409

    await make_code(bob, lifetime=60)
    clock.forward(seconds=61)
    assert (await invite(bob, "dave@example.org")).status_code == 409
    assert not [message for message in await post() if message.kind == "invitation"]


async def test_not_sent_if_the_code_was_deleted_meanwhile(carol, post):
    await invite(carol, "dave@example.org")
    code = await code_of(carol)
    await carol.delete(f"/api/v1/me/referral-codes/{code['code']}")

    assert await post() == []


async def test_registered_users_receive_nothing_and_the_response_is_the_same(carol, alice, post):
    await post()
    known, unknown = await invite(carol, "Alice@Example.com"), await invite(carol, "dave@example.org")

    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (202, ACCEPTED)
    assert known.headers.keys() == unknown.headers.keys()
    assert [message.to for message in await post()] == ["dave@example.org"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    "again",
    [
        "victim@gmail.com",
        "VICTIM@gmail.com",
        "victim+1@gmail.com",
        "v.i.c.t.i.m+x+y@googlemail.com",
    ],
)
async def test_a_sender_invites_a_mailbox_once_in_any_spelling(carol, post, clock, again):
    await invite(carol, "victim@gmail.com")
    assert len(await post()) == 1

    clock.forward(days=30)
    await carol.sign_in()
    await make_code(carol)
    assert (await invite(carol, again)).json() == ACCEPTED
    assert await post() == []


@pytest.mark.one_database
async def test_spellings_of_an_international_domain_are_one(carol, post):
    await invite(carol, "victim@bücher.example")
    await invite(carol, "victim@xn--bcher-kva.example")
    await invite(carol, "victim+2@BÜCHER.example")

    assert len(await post()) == 1


async def test_a_mailbox_receives_three_a_day_from_all_senders(api, post, clock):
    senders = [await join(api, f"sender{n}") for n in range(6)]
    for sender in senders:
        await make_code(sender)
    await post()

    answers = await asyncio.gather(
        *(invite(sender, f"victim+{n}@example.org") for n, sender in enumerate(senders))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len(await post()) == 3

    clock.forward(days=1)
    late = await join(api, "late")
    await make_code(late)
    await post()
    await invite(late, "victim@example.org")
    assert len(await post()) == 1


async def test_a_sender_is_limited_to_twenty_a_day(carol, post, clock):
    answers = [await invite(carol, f"friend{n}@example.org") for n in range(21)]

    assert [answer.status_code for answer in answers] == [202] * 20 + [429]
    assert answers[-1].json()["code"] == "too_many_emails"
    assert 86_000 < int(answers[-1].headers["Retry-After"]) <= 86_400
    assert len(await post()) == 20

    clock.forward(days=1)
    await carol.sign_in()
    await make_code(carol)
    assert (await invite(carol, "friend21@example.org")).status_code == 202


async def test_the_limit_holds_for_concurrent_requests(carol, rows):
    answers = await at_once(lambda n: invite(carol, f"friend{n}@example.org"), range(30))

    assert sorted(answer.status_code for answer in answers) == [202] * 20 + [429] * 10
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'invitation'") == [(20,)]


async def test_an_unverified_sender_is_limited_to_three(app, carol, database_url, tmp_path):
    url = "smtp://127.0.0.1:9?tls=off"
    async with second_service(database_url, smtp_url=url, data_dir=tmp_path) as mailing:
        sender = replace(carol, api=mailing)
        answers = [await invite(sender, f"friend{n}@example.org") for n in range(4)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429]

        async with app.state.services.database.transaction() as session:
            (await users.lock(session, UUID(carol.id))).verified_at = app.state.services.clock()
        assert (await invite(sender, "friend4@example.org")).status_code == 202


async def test_the_global_quota_limits_all_senders(carol, post, monkeypatch):
    monkeypatch.setattr(emails, "GLOBAL_QUOTA", emails.Quota(("global",), 2))
    for n in range(4):
        assert (await invite(carol, f"friend{n}@example.org")).status_code == 202

    assert len(await post()) == 2


async def test_a_repeated_idempotency_key_sends_and_counts_once(carol, post, rows):
    key = {"Idempotency-Key": "once"}
    first, second = [await invite(carol, "dave@example.org", headers=key) for _ in range(2)]
    other = await invite(carol, "erin@example.org", headers=key)

    assert (first.status_code, second.status_code, first.json()) == (202, 202, second.json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "location" not in second.headers
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await post()) == 1


@pytest.mark.one_database
@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "{{7*7}}",
        "=cmd|' /C calc'!A0",
        "Win at www.evil.example",
        "evil.example",
        "https://evil.example",
        "evil@example.com",
        "Call +7 999 123 45 67",
        "x" * 41,
        "Free💰Money",
    ],
)
async def test_a_suspicious_name_is_not_shown(api, post, name):
    sender = await join(api, "mallory", first_name=name, last_name=None)
    await make_code(sender)
    await post()

    await invite(sender, "dave@example.org")
    message = await post.only("dave@example.org")

    assert "A friend invites you" in message.text
    assert name not in message.text
    assert "<script" not in message.html
    assert "evil" not in message.text + message.html


NAMES = [
    "Jürgen", "Anna Maria", "D'Arcy", "Мария", "J. R.", "O’Neill-Smith", "Zoë", "आरती", "মৌসুমী", "மீனா",
    "မြတ်", "שָׂרָה", "มานี", "محمد\u200cرضا",
]  # fmt: skip


@pytest.mark.one_database
@pytest.mark.parametrize("name", NAMES)
async def test_a_normal_name_is_shown(api, post, name):
    sender = await join(api, "carla", first_name=name, last_name=None)
    await make_code(sender)
    await post()

    await invite(sender, "dave@example.org")

    assert f"{name} invites you" in (await post.only("dave@example.org")).text


@pytest.mark.one_database
async def test_the_email_is_in_the_language_of_the_sender(api, post):
    answer = await api.post(
        "/api/v1/users",
        json={"email": "ivan@example.com", "password": "семь фонарей на холме"},
        headers={"Accept-Language": "fr, ru-RU;q=0.9, en;q=0.8"},
    )
    assert answer.status_code == 201
    assert "этот адрес указали при регистрации" in (await post.only("ivan@example.com")).text
    ivan = Person(api, "ivan", "ivan@example.com", answer.json(), password="семь фонарей на холме")
    await ivan.sign_in()
    await make_code(ivan)
    await invite(ivan, "dave@example.org")

    assert "Ваш друг приглашает вас" in (await post.only("dave@example.org")).text


async def test_not_sent_if_the_sender_is_erased(carol, post):
    await invite(carol, "dave@example.org")
    await carol.delete("/api/v1/me", json={"password": carol.password})

    assert await post() == []


async def test_no_trace_of_the_recipient_is_kept(app, carol, post):
    await invite(carol, "dave@example.org", headers={"Idempotency-Key": "once"})
    assert len(await post()) == 1

    for table in Base.metadata.sorted_tables:
        for row in await app.state.services.database.rows(table.select()):
            assert "dave" not in str(tuple(row)), table.name


async def test_a_retry_after_a_mail_failure_does_not_count_twice(carol, post, clock, monkeypatch):
    async def out_of_order(*_arguments, **_options):
        raise delivery.NotDelivered("out of order")

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "deliver", out_of_order)
        await invite(carol, "dave@example.org")
        assert await post() == []
    clock.forward(minutes=1)

    assert len(await post()) == 1


async def test_a_repeated_decision_sends_one_email(app, carol, post, clock, rows):
    # A worker stops between the decision and the end of its job.
    await invite(carol, "dave@example.org")
    async with app.state.services.database.transaction() as session:
        job = await jobs.claim(session, "invitation", worker_id="victim", now=clock())
    await HANDLERS["invitation"](app.state.services, job)
    clock.forward(seconds=61)

    assert len(await post()) == 1
    assert await rows("SELECT max(used) FROM quotas") == [(1,)]


@pytest.mark.one_database
async def test_rejects_invalid_addresses(carol):
    for wrong in ("a@x.com\r\nBcc: z@y", "Bob <bob@example.com>", "nobody", "a@localhost", "a@b@c.example"):
        assert (await invite(carol, wrong)).status_code == 422


def test_spellings_of_a_mailbox_share_the_canonical_form():
    forms = ("v.ictim+a@gmail.com", "Victim@googlemail.com", "VICTIM+b+c@GMAIL.com")
    assert {addresses.parse(form).canonical for form in forms} == {"victim@gmail.com"}


@pytest.mark.one_database
async def test_requires_authentication(app, carol):
    async with client_of(app) as api:
        answer = await api.post(PATH, json={"email": "dave@example.org"})
    assert answer.status_code == 401
