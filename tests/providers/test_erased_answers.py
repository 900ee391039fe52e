"""An erasure deletes the data of providers, and discards later answers."""

import asyncio

import pytest

from database_search import find_words
from goodword.jobs import service as jobs
from mailboxes import Post
from people import PASSWORD, Person, join
from providers.conftest import join_and_prove, work
from providers.fake_providers import status

pytestmark = pytest.mark.one_database

ME, VERIFIER = "/api/v1/me", "/v2/email-verifier"
WORDS = ("alice", "liddell", "rabbit", "oxford", "curiosity")
"""Words of her address and her profile."""


async def erase(person):
    assert (await person.delete(ME, json={"password": PASSWORD})).status_code == 204


@pytest.mark.parametrize("mode", ["async", "blocking"])
async def test_nothing_is_left(node, services, clock, rows, mode):
    app, api = await node(email_check=mode, enrichment="hunter")
    alice = await join_and_prove(app, api, "alice")
    await work(app, clock)
    await alice.get("/api/v1/email-checks", params={"email": alice.email})
    assert ("profiles", "rabbit") in await find_words(app, *WORDS)

    await erase(alice)

    assert await find_words(app, *WORDS) == set()
    own = "jobs WHERE kind <> 'forget_traces'"
    for table in ("email_checks", "profiles", own):
        assert await rows(f"SELECT * FROM {table}") == []
    assert await rows("SELECT used FROM quotas") == [(1,)], "the messages to the address, for an hour"


async def test_erasure_deletes_a_check_made_before_the_registration(node, services, clock, rows):
    _, api = await node(email_check="blocking")
    bob = await join(api, "bob")
    await bob.get("/api/v1/email-checks", params={"email": "Alice@example.com"})
    alice = await join(api, "alice")
    assert services.count() == 2

    await erase(alice)

    assert await rows("SELECT count(*) FROM email_checks") == [(1,)]
    assert await rows("SELECT count(*) FROM email_checks c JOIN users u ON u.id = c.user_id") == [(1,)]


@pytest.mark.parametrize("last", ["alice@example.org", "alice@example.net"])
async def test_erasure_deletes_the_checks_of_addresses_that_the_account_had(node, services, rows, last):
    app, api = await node(email_check="blocking")
    alice, post = await join(api, "alice"), Post(app)
    for email in dict.fromkeys(["alice@example.org", last]):
        await post()
        await alice.get("/api/v1/email-checks", params={"email": email})
        await alice.post("/api/v1/me/email-changes", {"email": email, "password": PASSWORD})
        [message] = await post(to=email)
        await api.post("/api/v1/me/email-changes/confirm", json={"token": message.token})

    await erase(alice)

    assert await rows("SELECT count(*) FROM email_checks") == [(0,)]


async def test_erasure_deletes_a_check_although_checks_are_off_now(node, rows):
    _, checking = await node(email_check="blocking")
    bob = await join(checking, "bob")
    await bob.get("/api/v1/email-checks", params={"email": "alice@example.com"})
    _, api = await node(email_check="off")
    alice = await join(api, "alice")
    assert await rows("SELECT count(*) FROM email_checks") == [(2,)]

    await erase(alice)

    assert await rows("SELECT count(*) FROM email_checks") == [(1,)]


async def test_erasure_keeps_a_restriction_without_the_account(node, services, clock, rows):
    app, api = await node()
    services.answers[VERIFIER] = status(451)
    alice = await join(api, "alice")
    await work(app, clock)
    assert len(await rows("SELECT * FROM email_checks WHERE user_id IS NOT NULL")) == 1

    await erase(alice)

    assert await rows("SELECT status, user_id FROM email_checks") == [("restricted", None)]
    services.answers.clear()
    await join(api, "alice")
    await work(app, clock)
    assert services.count() == 1


async def test_no_request_is_made_for_a_disabled_user(node, services, clock, rita, rows):
    app, api = await node(enrichment="hunter")
    alice = await join_and_prove(app, api, "alice")
    assert (await rita.post(f"/api/v1/admin/users/{alice.id}/disable", None)).status_code == 200
    await work(app, clock)

    assert services.asked == []


async def test_a_repeated_check_is_linked_to_the_account(node, services, clock, rows):
    _, api = await node()
    _, elsewhere = await node(email_check="off")
    bob = await join(elsewhere, "bob")
    asks = Person(api, bob.name, bob.email, bob.user, bob.tokens)
    await asks.get("/api/v1/email-checks", params={"email": "alice@example.com"})
    alice = await join(elsewhere, "alice")
    await asks.get("/api/v1/email-checks", params={"email": "alice@example.com"})
    assert services.count() == 1

    await erase(alice)

    assert await rows("SELECT * FROM email_checks") == []


@pytest.mark.parametrize("kind", ["async", "off"])
async def test_an_answer_after_the_erasure_is_discarded(node, services, clock, rows, kind):
    """The job asks, she goes, the answer comes."""
    app, api = await node(email_check=kind, enrichment="hunter")
    alice = await join_and_prove(app, api, "alice")
    services.delay = 0.7
    working = asyncio.create_task(work(app, clock))
    await services.is_asked()

    await erase(alice)
    await working

    assert services.asked
    assert await find_words(app, *WORDS) == set()
    for table in ("email_checks", "profiles"):
        assert await rows(f"SELECT * FROM {table}") == []


async def test_a_failure_after_the_erasure_leaves_no_job(node, services, clock, rows):

    app, api = await node(enrichment="hunter")
    alice = await join_and_prove(app, api, "alice")
    services.delay, services.answers = (
        0.5,
        {"/v2/email-verifier": status(202), "/v2/combined/find": status(202)},
    )
    working = asyncio.create_task(work(app, clock))
    await services.is_asked()
    await erase(alice)
    await working

    assert await rows("SELECT * FROM jobs WHERE kind <> 'forget_traces'") == []
    assert await rows("SELECT * FROM email_checks") == []


async def test_old_checks_are_purged_and_restrictions_stay(node, services, clock, rows):

    app, api = await node(email_check="blocking")
    await join(api, "alice")
    services.answers[VERIFIER] = status(451)
    await join(api, "bob")

    async def purge():
        async with app.state.services.database.transaction() as session:
            jobs.enqueue(session, "purge_email_checks", {}, now=clock())
        await work(app, clock)
        return await rows("SELECT status FROM email_checks ORDER BY status")

    clock.forward(days=89)
    assert await purge() == [("restricted",), ("valid",)]
    clock.forward(days=2)
    assert await purge() == [("restricted",)]
