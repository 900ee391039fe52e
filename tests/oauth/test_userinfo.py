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


async def test_it_takes_the_token_from_a_form(garden, api, alices, alice):
    """RFC 6750 §2.2, as the OP Basic test oidcc-userinfo-post-body does."""
    tokens = await garden.let_in(alices, "openid email")

    answer = await api.post("/oauth/userinfo", data={"access_token": tokens["access_token"]})

    assert answer.json() == {"sub": alice.id, "email": "alice@example.com", "email_verified": False}


async def test_it_takes_one_token(garden, api, alices):
    token = (await garden.let_in(alices, "openid"))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    both = await api.post("/oauth/userinfo", data={"access_token": token}, headers=headers)
    assert (both.status_code, both.json()["code"]) == (400, "access_token_repeated")
    assert 'error="invalid_request"' in both.headers["www-authenticate"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"access_token={token}&access_token={token}"
    assert (await api.post("/oauth/userinfo", content=body, headers=form)).status_code == 400
    assert (await api.get("/oauth/userinfo", params={"access_token": token})).status_code == 401
    assert (await api.post("/oauth/userinfo", data={"access_token": "x"})).status_code == 401


async def test_a_form_token_is_for_userinfo_only(garden, api, alices):
    tokens = await garden.let_in(alices, "openid profile codes:write")

    answer = await api.post("/api/v1/me/referral-codes", data={"access_token": tokens["access_token"]})

    assert answer.status_code in (401, 415)


async def test_it_needs_openid(garden, alices):
    answer = await garden.get("/oauth/userinfo", await garden.let_in(alices, "profile email"))

    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="openid"' in answer.headers["www-authenticate"]


async def test_it_needs_a_token(api):
    answer = await api.get("/oauth/userinfo")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="goodword"')
