"""GitHub tells who somebody is by its API: by number, and by addresses that it has verified."""

import pytest

from social.browser import assert_refused, leave, sign_in
from social.provider import text

pytestmark = pytest.mark.one_database


async def test_it_is_asked_with_pkce_and_without_a_nonce(api, provider):
    await leave(api, provider, "github")

    assert provider.seen[0]["scope"] == "read:user user:email"
    assert "nonce" not in provider.seen[0]


async def test_a_login_that_was_given_up_and_taken_by_another_is_another_person(api, provider, rows):
    await sign_in(api, provider, "github")
    provider.github_user["id"] = 1002
    provider.github_emails = [{"email": "other@example.com", "primary": True, "verified": True}]
    await sign_in(api, provider, "github")

    assert len(await rows("SELECT id FROM users")) == 2


@pytest.mark.parametrize(
    "emails",
    [
        [],
        [{"email": "alice@example.com", "primary": True, "verified": False}],
        [{"email": "alice@example.com", "primary": True, "verified": "true"}],
        [{"email": "alice@example.com", "primary": False, "verified": True}],
        [{"primary": True, "verified": True}],
        [None, 5, "alice@example.com"],
    ],
)
async def test_only_the_primary_verified_address_counts(api, provider, rows, emails):
    provider.github_emails = emails

    assert_refused(await sign_in(api, provider, "github"), 409, "email_missing")
    assert await rows("SELECT id FROM users") == []


@pytest.mark.parametrize("user", [{}, {"id": "1001"}, {"id": None}, {"id": True}, {"id": 1.5}], ids=str)
async def test_nonsense_about_the_user_is_an_outage(api, provider, user):
    provider.github_user = user

    assert_refused(await sign_in(api, provider, "github"), 503, "provider_unavailable")


@pytest.mark.parametrize("path", ["/user", "/user/emails"])
@pytest.mark.parametrize("body", ["[", "{}x", '"text"', "5", "[" * 100_000, b"\xff\xfe"])
async def test_garbage_is_an_outage(api, provider, path, body):
    provider.answers[path] = text(body)

    assert_refused(await sign_in(api, provider, "github"), 503, "provider_unavailable")
