"""What follows when an address is verified, whichever way it is: the audit, the referral, the enrichment."""

import pytest
from sqlalchemy import text

from asgi import replaced
from goodword.admin import service as administration
from people import PASSWORD, join, make_code, referrals_of
from social.browser import sign_in

pytestmark = pytest.mark.one_database

ENRICHMENTS = "SELECT count(*) FROM jobs WHERE kind = 'enrich_profile'"
AUDITED = "SELECT count(*) FROM audit_events WHERE action = 'email.verified'"
RESET = {"password": "eight lanterns in the valley"}


@pytest.fixture
def service(service):
    """Yield a service with an enrichment provider. No test runs the job that calls it."""
    settings = service.state.services.settings.model_copy(update={"enrichment": "hunter"})
    with replaced(service, settings=settings):
        yield service


@pytest.fixture
def change(service):
    async def run(sql):
        async with service.state.services.database.transaction() as session:
            await session.execute(text(sql))

    return run


@pytest.fixture
async def referred(api, bob, change):
    """Return Alice: her address is not verified, and her referral by Bob is pending."""
    code = await make_code(bob)
    alice = await join(api, "alice", referral_code=code["code"])
    await change("UPDATE referrals SET status = 'pending', confirmed_at = NULL")
    return alice


async def token_of(api, post, path, body, to):
    await post()
    await api.post(path, json=body)
    return {"token": (await post.only(to)).token}


async def by_link(api, post, person):
    body = await token_of(api, post, "/api/v1/email-verifications", {"email": person.email}, person.email)
    assert (await api.post("/api/v1/email-verifications/confirm", json=body)).status_code == 204


async def by_reset(api, post, person):
    body = await token_of(api, post, "/api/v1/password-resets", {"email": person.email}, person.email)
    answer = await api.post("/api/v1/password-resets/confirm", json=body | RESET)
    assert answer.status_code == 204


async def by_change(api, post, person):
    await post()
    wanted = {"email": "alice@example.org", "password": PASSWORD}
    assert (await person.post("/api/v1/me/email-changes", wanted)).status_code == 202
    [message] = await post(to="alice@example.org")
    answer = await api.post("/api/v1/me/email-changes/confirm", json={"token": message.token})
    assert answer.status_code == 204


@pytest.mark.parametrize("way", [by_link, by_reset, by_change])
async def test_an_email_with_a_token_has_all_consequences(api, post, rows, bob, referred, way):
    await way(api, post, referred)

    assert [one["status"] for one in await referrals_of(bob)] == ["confirmed"]
    assert await rows(ENRICHMENTS) == [(1,)]
    assert await rows(AUDITED) == [(1,)]


async def test_a_takeover_by_a_verified_identity_has_all_consequences(api, provider, rows, bob, referred):
    assert (await sign_in(api, provider)).status_code == 303

    assert [one["status"] for one in await referrals_of(bob)] == ["confirmed"]
    assert await rows(ENRICHMENTS) == [(1,)]
    assert await rows(AUDITED) == [(1,)]


@pytest.mark.parametrize("at_first", [True, False])
async def test_a_registration_by_identity_has_all_consequences(api, provider, rows, bob, change, at_first):
    code = await make_code(bob)
    provider.person["email_verified"] = at_first
    assert (await sign_in(api, provider, referral_code=code["code"])).status_code == 303
    if not at_first:
        await change("UPDATE referrals SET status = 'pending', confirmed_at = NULL")
        provider.person["email_verified"] = True
        assert (await sign_in(api, provider)).status_code == 303

    assert [one["status"] for one in await referrals_of(bob)] == ["confirmed"]
    assert await rows(ENRICHMENTS) == [(1,)]
    assert await rows(AUDITED) == [(1,)]


async def test_a_promotion_has_all_consequences(service, rows, bob, referred):
    services = service.state.services
    async with services.database.transaction() as session:
        user_id = await administration.find_id(session, referred.email)
        await administration.promote(session, services, user_id, now=services.clock())

    assert [one["status"] for one in await referrals_of(bob)] == ["confirmed"]
    assert await rows(ENRICHMENTS) == [(1,)]
    assert await rows(AUDITED) == [(1,)]


async def test_a_reset_of_a_verified_account_verifies_nothing_again(api, post, rows, alice, change):
    await by_link(api, post, alice)
    await change("DELETE FROM jobs")
    before = await rows("SELECT verified_at FROM users")

    await by_reset(api, post, alice)

    assert await rows("SELECT verified_at FROM users") == before
    assert await rows(ENRICHMENTS) == [(0,)]
    assert await rows(AUDITED) == [(1,)]


async def test_a_changed_address_is_enriched_again(api, post, rows, alice, change):
    await by_link(api, post, alice)
    await change("DELETE FROM jobs")

    await by_change(api, post, alice)

    assert await rows(ENRICHMENTS) == [(1,)]
