"""Which account an identity opens: an address counts only when both sides have verified it (D17, D18)."""

import pytest

from asgi import client_of, run_due_jobs
from people import PASSWORD, join, make_code, referrals_of, register, sign_in as sign_in_with_password
from social.browser import assert_refused, sign_in
from third_party import Browser, register_app

MARK_VERIFIED = "UPDATE users SET verified_at = created_at"
IDENTITIES = "SELECT subject FROM identities ORDER BY subject"


@pytest.fixture
def change(service):
    async def run(sql, **values):
        from sqlalchemy import text

        async with service.state.services.database.transaction() as session:
            await session.execute(text(sql), values)

    return run


async def test_two_verified_sides_are_linked(api, provider, alice, change, rows):
    await change(MARK_VERIFIED)

    assert (await sign_in(api, provider)).status_code == 303
    assert await rows("SELECT id FROM users WHERE password_hash IS NOT NULL") != []
    assert len(await rows("SELECT id FROM users")) == 1
    assert (await alice.get("/api/v1/me")).status_code == 200, "her other session goes on"
    assert (await sign_in_with_password(api, alice.email)).status_code == 201


@pytest.mark.parametrize("slug", ["oidc", "google"])
@pytest.mark.parametrize("ours", ["verified", "unverified"])
async def test_an_unverified_address_links_to_nothing(api, provider, alice, change, rows, slug, ours):
    if ours == "verified":
        await change(MARK_VERIFIED)
    provider.person["email_verified"] = False

    assert_refused(await sign_in(api, provider, slug), 409, "link_required")
    assert await rows(IDENTITIES) == []
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_the_spelling_of_the_address_does_not_matter(api, provider, alice, change, rows):
    await change(MARK_VERIFIED)
    provider.person["email"] = "ALICE@Example.COM"

    assert (await sign_in(api, provider)).status_code == 303
    assert len(await rows("SELECT id FROM users")) == 1


async def test_verified_identity_takes_over_an_unverified_account(api, provider, rows, post):
    squatter = await join(api, "alice", first_name="Squatter", last_name=None)
    await squatter.post("/api/v1/me/email-changes", {"email": "squatter@example.com", "password": PASSWORD})
    assert await rows("SELECT id FROM jobs WHERE kind = 'change_email'")

    assert (await sign_in(api, provider)).status_code == 303

    assert await rows("SELECT first_name, password_hash, verified_at IS NOT NULL FROM users") == [
        ("Alice", None, True)
    ]
    assert (await squatter.get("/api/v1/me")).status_code == 401
    refreshed = await api.post(
        "/oauth/token",
        data={"grant_type": "refresh_token", "refresh_token": squatter.tokens["refresh_token"]},
    )
    assert refreshed.status_code == 400
    assert (await sign_in_with_password(api, squatter.email)).status_code == 401
    assert await rows("SELECT id FROM jobs WHERE kind = 'change_email'") == []
    assert await rows("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == [(1,)]


async def test_takeover_deletes_one_time_tokens(api, provider, service, rows):
    await join(api, "alice")
    await run_due_jobs(service)
    assert await rows("SELECT id FROM verifications")

    await sign_in(api, provider)

    assert await rows("SELECT id FROM verifications") == []


async def test_takeover_revokes_apps(api, provider, service, rows):
    squatter = await join(api, "alice")
    garden = await register_app(service, api, "https://garden.example/callback")
    async with client_of(service) as client:
        browser = Browser(client)
        await browser.sign_in(squatter)
        tokens = await garden.let_in(browser, "openid offline_access")

    await sign_in(api, provider)

    assert await rows("SELECT count(*) FROM oauth_grants") == [(0,)]
    assert (await garden.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_takeover_deletes_identities(api, provider, rows):
    provider.person |= {"sub": "mallory", "email_verified": False}
    assert (await sign_in(api, provider)).status_code == 303
    provider.person |= {"sub": "alice", "email_verified": True}
    assert (await sign_in(api, provider)).status_code == 303

    provider.person |= {"sub": "mallory", "email_verified": False}
    assert_refused(await sign_in(api, provider), 409, "link_required")
    assert await rows(IDENTITIES) == [("alice",)]


async def test_takeover_confirms_a_pending_referral(api, provider, bob, change):
    code = await make_code(bob)
    await register(api, "alice", referral_code=code["code"])
    await change("UPDATE referrals SET status = 'pending', confirmed_at = NULL")

    await sign_in(api, provider)

    assert [one["status"] for one in await referrals_of(bob)] == ["confirmed"]


async def test_administrator_account_is_not_taken_over(api, provider, alice, change):
    await change("UPDATE users SET is_admin = TRUE")

    assert_refused(await sign_in(api, provider), 409, "link_required")
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_reassigned_address_at_the_provider_is_refused(api, provider, rows):
    await sign_in(api, provider)
    provider.person["sub"] = "the next employee"

    assert_refused(await sign_in(api, provider), 409, "link_required")
    assert await rows(IDENTITIES) == [("248289761001",)]


@pytest.mark.parametrize("known", [True, False])
async def test_a_disabled_account_is_a_failed_sign_in(api, provider, alice, change, known):
    await change(MARK_VERIFIED)
    if known:
        await sign_in(api, provider)
    await change("UPDATE users SET status = 'disabled'")

    assert_refused(await sign_in(api, provider), 400, "sign_in_failed")


@pytest.mark.one_database
@pytest.mark.parametrize(
    "email", [None, "", "no address", "a@b@c", "x" * 300 + "@example.com", 5, ["a@b.example"]]
)
async def test_without_an_address_there_is_no_account(api, provider, rows, email):
    provider.person["email"] = email

    assert_refused(await sign_in(api, provider), 409, "email_missing")
    assert await rows("SELECT id FROM users") == []


async def test_an_unverified_address_makes_an_unverified_account(api, provider, rows, service):
    provider.person["email_verified"] = False

    assert (await sign_in(api, provider)).status_code == 303
    assert await rows("SELECT verified_at FROM users") == [(None,)]
    assert await rows("SELECT kind FROM jobs") == [("verify_email",)]


async def test_later_verification_by_the_provider_verifies_the_account(api, provider, rows):
    provider.person["email_verified"] = False
    await sign_in(api, provider)
    provider.person |= {"email": "other@example.com", "email_verified": True}
    await sign_in(api, provider)
    assert await rows("SELECT verified_at FROM users") == [(None,)]

    provider.person["email"] = "alice@example.com"
    await sign_in(api, provider)
    assert await rows("SELECT verified_at IS NOT NULL FROM users") == [(True,)]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ({"given_name": "  Zoë ", "family_name": "O’Brien"}, ("Zoë", "O’Brien")),
        ({"given_name": "x" * 101, "family_name": "Liddell"}, (None, "Liddell")),
        ({"given_name": "a\u202eb", "family_name": "c\nd"}, (None, None)),
        ({"given_name": 5, "family_name": {"a": 1}}, (None, None)),
        ({"given_name": "", "family_name": " "}, (None, None)),
        ({"given_name": None, "family_name": None, "name": "Mary Jane Watson"}, ("Mary Jane", "Watson")),
        ({"given_name": None, "family_name": None, "name": "Cher"}, ("Cher", None)),
        ({"given_name": None, "family_name": None, "name": "x" * 100_000}, (None, None)),
    ],
)
async def test_names_are_taken_as_text_or_not_at_all(api, provider, rows, profile, names):
    provider.person |= profile
    provider.thin = len(str(profile)) > 10_000  # more than an ID token may have

    await sign_in(api, provider)

    assert await rows("SELECT first_name, last_name FROM users") == [names]


async def test_same_subject_of_two_issuers_is_two_accounts(api, provider, rows, change):
    await sign_in(api, provider)
    await change("UPDATE identities SET provider = 'https://old.example'")
    provider.person["email"] = "another@example.com"
    await sign_in(api, provider)

    assert len(await rows("SELECT id FROM users")) == 2
