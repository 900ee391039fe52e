"""GET and POST /oauth/userinfo (OpenID Connect Core §5.3)."""

import pytest

pytestmark = pytest.mark.one_database


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {}),
        ("openid profile", {"name": "Alice Liddell", "given_name": "Alice", "family_name": "Liddell"}),
        ("openid email", {"email": "alice@example.com", "email_verified": False}),
    ],
)
async def test_it_shows_what_the_scopes_show(garden, api, alices, alice, scope, claims):
    tokens = await garden.let_in(alices, scope)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    for method in ("GET", "POST"):
        answer = await api.request(method, "/oauth/userinfo", headers=headers)
        assert answer.json() == {"sub": alice.id, **claims}
        assert answer.headers["cache-control"] == "no-store"


async def test_it_needs_openid(garden, alices):
    answer = await garden.get("/oauth/userinfo", await garden.let_in(alices, "profile email"))

    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="openid"' in answer.headers["www-authenticate"]


async def test_it_needs_a_token(api):
    answer = await api.get("/oauth/userinfo")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
