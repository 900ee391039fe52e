"""Somebody joins with an account elsewhere, and signs in with it ever after."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import text

from asgi import replaced
from goodword.privacy import erasure
from people import make_code, referrals_of, register
from social.browser import COOKIE, assert_refused, begin, leave, sign_in

pytestmark = pytest.mark.one_database

USERS = "SELECT email, first_name, last_name, verified_at IS NOT NULL, password_hash FROM users"
IDENTITIES = "SELECT provider, subject FROM identities"
each_provider = pytest.mark.parametrize("slug", ["oidc", "google", "github"])


@each_provider
async def test_new_user_gets_an_account_without_a_password(api, provider, rows, slug):
    answer = await sign_in(api, provider, slug)

    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/"
    assert await rows(USERS) == [("alice@example.com", "Alice", "Liddell", True, None)]


async def test_a_new_user_continues_at_the_product(app, api, provider):
    """At AFTER_SIGN_UP_URL, the first time."""
    settings = app.state.services.settings
    url = "https://app.acme.example/welcome"
    with replaced(app, settings=settings.model_copy(update={"after_sign_up_url": url})):
        first, second = await sign_in(api, provider), await sign_in(api, provider)

    assert (first.headers["location"], second.headers["location"]) == (url, "/")


@each_provider
async def test_sign_in_with_a_provider_creates_a_browser_session(api, provider, rows, slug):
    answer = await sign_in(api, provider, slug)

    assert answer.cookies["goodword"]
    assert await rows("SELECT client, scope FROM sessions") == [("goodword-pages", "pages")]


async def test_sign_in_with_a_provider_ends_the_previous_session(api, provider, rows):
    await sign_in(api, provider)
    provider.person |= {"sub": "another", "email": "bob@example.com"}
    await sign_in(api, provider)

    assert await rows("SELECT revoked_reason FROM sessions ORDER BY created_at, id") == [
        ("signed_in_anew",),
        (None,),
    ]
    by = "SELECT email FROM audit_events JOIN users ON users.id = actor_id WHERE action = 'session.ended'"
    assert await rows(by) == [("bob@example.com",)]


@each_provider
async def test_second_sign_in_with_a_provider_finds_the_account(api, provider, rows, slug):
    await sign_in(api, provider, slug)
    provider.person |= {"email": "new@example.com"}
    provider.github_emails = [{"email": "new@example.com", "primary": True, "verified": True}]
    answer = await sign_in(api, provider, slug)

    assert answer.status_code == 303
    assert await rows("SELECT email FROM users") == [("alice@example.com",)]
    assert len(await rows("SELECT id FROM sessions")) == 2


async def test_identities_are_kept_under_issuer_and_subject(api, provider, rows):
    await sign_in(api, provider, "oidc")
    await sign_in(api, provider, "github")

    assert set(await rows(IDENTITIES)) == {(provider.url, "248289761001"), ("github", "1001")}
    assert len(await rows(USERS)) == 1


@each_provider
async def test_sign_up_with_a_provider_and_a_code_creates_a_referral(api, provider, bob, slug):
    code = await make_code(bob)
    answer = await sign_in(api, provider, slug, referral_code=code["code"].lower())

    assert answer.status_code == 303
    referrals = await referrals_of(bob)
    assert [one["referee"]["display_name"] for one in referrals] == ["Alice L."]
    assert referrals[0]["status"] == "confirmed"


async def test_both_ways_to_register_have_the_same_consequences(api, provider, rows, bob):
    code = (await make_code(bob))["code"]

    async def consequences_of(email):
        (user,) = await rows(f"SELECT id FROM users WHERE email = '{email}'")
        jobs = await rows("SELECT kind, user_id FROM jobs")
        (referral,) = await rows("SELECT referee_id, status FROM referrals ORDER BY created_at DESC LIMIT 1")
        assert referral[0] == user[0]
        return sorted(kind for kind, user_id in jobs if user_id == user[0]), referral[1]

    await register(api, "carol", referral_code=code)
    by_password = await consequences_of("carol@example.com")
    provider.person["email_verified"] = False
    assert (await sign_in(api, provider, "oidc", referral_code=code)).status_code == 303

    assert await consequences_of("alice@example.com") == by_password
    assert by_password[0]


@each_provider
async def test_a_code_that_cannot_be_used_makes_no_account(api, provider, rows, slug):
    answer = await sign_in(api, provider, slug, referral_code="NOSUCHCODE")

    assert_refused(answer, 422, "code_not_usable")
    assert answer.json()["errors"][0]["field"] == "query.referral_code"
    assert await rows(USERS) == await rows(IDENTITIES) == []


@pytest.mark.parametrize("why", ["its owner is disabled", "it is used up", "it is deleted"])
async def test_a_code_that_works_no_more_makes_no_account(api, app, provider, rows, bob, why):
    code = (await make_code(bob, max_uses=1))["code"]
    match why:
        case "its owner is disabled":
            async with app.state.services.database.transaction() as session:
                await session.execute(text("UPDATE users SET status = 'disabled'"))
        case "it is used up":
            assert (await register(api, "carol", referral_code=code)).status_code == 201
        case "it is deleted":
            await bob.delete(f"/api/v1/me/referral-codes/{code}")
    before = await rows(USERS)

    assert_refused(await sign_in(api, provider, referral_code=code), 422, "code_not_usable")

    assert await rows(USERS) == before
    assert await rows(IDENTITIES) == []


async def test_code_is_ignored_for_an_existing_account(api, provider, bob, rows):
    await sign_in(api, provider)
    code = await make_code(bob)

    assert (await sign_in(api, provider, referral_code=code["code"])).status_code == 303
    assert (await sign_in(api, provider, referral_code="NOSUCHCODE")).status_code == 303
    assert await referrals_of(bob) == []


async def test_openid_is_asked_with_pkce_state_and_nonce(api, provider):
    location = (await begin(api)).headers["location"]
    asked = dict(parse_qsl(urlsplit(location).query))

    assert location.startswith(f"{provider.url}/authorize?")
    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/oauth/callback/oidc"
    assert len(asked["state"]) == len(asked["nonce"]) == len(asked["code_challenge"]) == 43


async def test_each_flow_has_its_own_state_nonce_and_verifier(api, provider):
    for _ in range(2):
        await leave(api, provider)

    first, second = provider.seen
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


async def test_the_way_back_does_not_depend_on_the_host_header(api, provider):
    answer = await api.get("/oauth/sign-in/oidc", headers={"Host": "localhost:666"})

    assert "localhost" not in answer.headers["location"]


async def test_the_cookie_of_a_sign_in_is_used_once(api, provider):
    await leave(api, provider)
    assert api.cookies[COOKIE]
    await sign_in(api, provider)

    assert COOKIE not in api.cookies


@pytest.mark.parametrize("slug", ["facebook", "GOOGLE", "%00", "oidc%00", "a" * 3000])
async def test_an_unknown_provider_is_not_found(api, slug):
    for path in ("sign-in", "callback"):
        assert (await api.get(f"/oauth/{path}/{slug}")).status_code == 404


async def test_a_thin_id_token_is_completed_from_userinfo(api, provider, rows):
    provider.thin = True

    assert (await sign_in(api, provider)).status_code == 303
    assert await rows(USERS) == [("alice@example.com", "Alice", "Liddell", True, None)]


async def test_userinfo_of_another_person_is_refused(api, provider, rows):
    provider.thin = True
    provider.claims = {"sub": "mallory"}

    assert_refused(await sign_in(api, provider), 400, "sign_in_failed")
    assert await rows(USERS) == []


async def test_a_provider_may_want_the_secret_in_the_form(api, provider):
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert (await sign_in(api, provider)).status_code == 303


async def test_google_may_name_itself_in_two_ways(api, provider):
    provider.claims = {"iss": "accounts.google.test"}

    assert (await sign_in(api, provider, "google")).status_code == 303
    assert_refused(await sign_in(api, provider, "oidc"), 400, "sign_in_failed")


async def test_erasure_takes_the_identity_along(api, provider, rows, alice):
    alice.api.cookies.clear()
    await sign_in(api, provider)  # takes the unverified account over
    assert await rows(IDENTITIES)
    from sqlalchemy import select

    from goodword.users.models import User

    app = api._transport.app
    async with app.state.services.database.transaction() as session:
        await erasure.erase(session, app.state.services, await session.scalar(select(User)))

    assert await rows(IDENTITIES) == []
    assert (await sign_in(api, provider)).status_code == 303  # as somebody new
    assert len(await rows("SELECT id FROM users")) == 2
