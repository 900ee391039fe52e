"""POST /oauth/token: who may call it and how, refreshing, and the tokens of apps themselves."""

import asyncio
from base64 import b64encode
from collections import Counter

import pytest
from httpx2 import AsyncClient

from asgi import replaced
from goodword.db.database import Database
from second_service import second_service
from third_party import ALL, register_app


def outcome(answer):
    return answer.status_code, answer.json().get("error")


def basic(client_id, secret):
    return {"Authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}


async def ask(api: AsyncClient, headers=None, query="", **fields):
    return await api.post(f"/oauth/token{query}", data=fields, headers=headers)


# How an app authenticates


@pytest.mark.one_database
@pytest.mark.parametrize("secret", [None, "", "wrong", "gws_", "\x00", "ü" * 50])
async def test_a_wrong_secret_is_refused(garden, secret):
    garden.secret = secret

    for way in (False, True):
        answer = await garden.post("/oauth/token", grant_type="client_credentials", basic=way)
        assert outcome(answer) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.one_database
@pytest.mark.parametrize("client_id", ["unknown", "goodword", "gwc_\x00", "ü", "a" * 300])
async def test_an_unknown_app_is_refused(api, client_id):
    answer = await ask(api, grant_type="client_credentials", client_id=client_id, client_secret="x")

    assert outcome(answer) == (401, "invalid_client")


@pytest.mark.one_database
async def test_a_secret_in_the_address_is_no_secret(garden, api):
    query = f"?client_id={garden.client_id}&client_secret={garden.secret}"

    nothing = await ask(api, query=query, grant_type="client_credentials")
    assert outcome(nothing) == (401, "invalid_client")
    only_id = await ask(api, query=query, grant_type="client_credentials", client_id=garden.client_id)
    assert outcome(only_id) == (401, "invalid_client")


@pytest.mark.one_database
async def test_two_ways_at_once_are_one_too_many(garden, api):
    fields = {"grant_type": "client_credentials", "client_secret": garden.secret}
    answer = await ask(api, headers=basic(garden.client_id, garden.secret), **fields)

    assert outcome(answer) == (400, "invalid_request")


@pytest.mark.one_database
async def test_the_header_and_the_form_may_not_name_two_apps(garden, rival, api):
    headers = basic(garden.client_id, garden.secret)
    answer = await ask(api, headers=headers, grant_type="client_credentials", client_id=rival.client_id)

    assert outcome(answer) == (400, "invalid_request")


@pytest.mark.one_database
async def test_the_header_may_come_with_the_same_id(garden, api):
    headers = basic(garden.client_id, garden.secret)
    answer = await ask(api, headers=headers, grant_type="client_credentials", client_id=garden.client_id)

    assert answer.status_code == 200


@pytest.mark.one_database
async def test_the_parts_of_the_header_are_form_encoded(garden, api):
    headers = basic(garden.client_id.replace("_", "%5F"), garden.secret.replace("_", "%5F"))

    assert (await ask(api, headers=headers, grant_type="client_credentials")).status_code == 200


@pytest.mark.one_database
@pytest.mark.parametrize(
    "value", ["Basic", "Basic !!!", "Basic /w==", "Basic YQ==", "Bearer x", "Digest x", "Basic é"]
)
async def test_a_header_that_cannot_be_read_is_refused(garden, api, value):
    headers = {"Authorization": value.encode()}
    answer = await ask(api, headers=headers, grant_type="client_credentials", client_id=garden.client_id)

    assert outcome(answer) == (401, "invalid_client")


async def test_an_app_without_a_secret_cannot_have_one(pocket):
    pocket.secret = "gws_invented"

    assert outcome(await pocket.exchange("gwa_x")) == (401, "invalid_client")


# What is asked


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("grant", "error"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("password", "unsupported_grant_type"),
        ("implicit", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:device_code", "unsupported_grant_type"),
        ("Client_Credentials", "unsupported_grant_type"),
        ("\x00", "unsupported_grant_type"),
    ],
)
async def test_other_grants_are_refused(garden, grant, error):
    fields = {"username": "alice@example.com", "password": "seven lanterns on the hill"}
    answer = await garden.post("/oauth/token", grant_type=grant, **fields)

    assert outcome(answer) == (400, error)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", "text/plain"),
        (b"grant_type=client_credentials&grant_type=password", "application/x-www-form-urlencoded"),
        (b"grant_type=client_credentials&x=1&x=", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"a=1&" * 40, "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
async def test_what_is_no_form_is_refused(api, content, kind):
    answer = await api.post("/oauth/token", content=content, headers={"Content-Type": kind})

    assert outcome(answer) == (400, "invalid_request")


@pytest.mark.one_database
async def test_an_app_uses_only_grants_that_it_is_registered_for(app, api):
    robot = await register_app(app, api, grant_types=["client_credentials"], scope=["codes:read"])

    assert outcome(await robot.exchange("gwa_x")) == (400, "unauthorized_client")
    assert outcome(await robot.refresh("gwr_x")) == (400, "unauthorized_client")


# RFC 6749 §5.2 lists the errors; clients such as oauthlib 4.0 raise on others.
ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}


@pytest.mark.one_database
async def test_a_limit_is_reported_by_an_error_of_the_standard(garden, database_url):
    async with second_service(database_url, limits="token=1/minute") as other:
        garden.api = other
        answers = [await garden.post("/oauth/token", grant_type="client_credentials") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json()["error"] in ERRORS
    assert "retry-after" in answers[1].headers


@pytest.mark.one_database
async def test_an_overload_is_reported_by_an_error_of_the_standard(garden, app):
    with replaced(app, database=Database("postgresql+asyncpg://goodword@127.0.0.1:1/none")):
        answer = await garden.post("/oauth/token", grant_type="client_credentials")

    assert answer.status_code == 503
    assert answer.json()["error"] in ERRORS


# Refreshing


async def test_an_app_refreshes(garden, alices, alice):
    tokens = await garden.let_in(alices, "profile offline_access")

    refreshed = (await garden.refresh(tokens["refresh_token"])).json()

    assert refreshed["refresh_token"] != tokens["refresh_token"]
    assert refreshed["scope"] == "profile offline_access"
    assert (await garden.get("/api/v1/me", refreshed)).json()["id"] == alice.id


async def test_an_app_gets_no_refresh_token_unless_it_was_granted(garden, alices):
    assert "refresh_token" not in await garden.let_in(alices, "openid profile")


async def test_a_refresh_token_is_good_once_without_grace(garden, alices):
    first = await garden.let_in(alices, "profile offline_access")
    second = (await garden.refresh(first["refresh_token"])).json()

    assert outcome(await garden.refresh(first["refresh_token"])) == (400, "invalid_grant")

    assert outcome(await garden.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert (await garden.get("/api/v1/me", second)).status_code == 401


async def test_ten_at_once_have_one_success(garden, alices):
    tokens = await garden.let_in(alices, "profile offline_access")

    answers = await asyncio.gather(*(garden.refresh(tokens["refresh_token"]) for _ in range(10)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 9}


async def test_the_scope_may_be_narrowed_for_one_access_token(garden, alices):
    tokens = await garden.let_in(alices, "profile referrals:read offline_access")

    narrow = (await garden.refresh(tokens["refresh_token"], scope="referrals:read")).json()
    assert narrow["scope"] == "referrals:read"
    assert (await garden.get("/api/v1/me", narrow)).status_code == 403

    full = (await garden.refresh(narrow["refresh_token"])).json()
    assert full["scope"] == "profile referrals:read offline_access"


@pytest.mark.one_database
@pytest.mark.parametrize("scope", ["codes:write", "profile codes:write", "admin", "account", "\x00", " "])
async def test_the_scope_is_never_widened(garden, alices, scope):
    tokens = await garden.let_in(alices, "profile offline_access")

    assert outcome(await garden.refresh(tokens["refresh_token"], scope=scope)) == (400, "invalid_scope")
    assert (await garden.refresh(tokens["refresh_token"])).status_code == 200  # the mistake spent nothing


async def test_two_tabs_of_a_public_app_may_refresh_at_once(pocket, alices, clock):
    tokens = await pocket.let_in(alices, "profile offline_access")

    answers = await asyncio.gather(*(pocket.refresh(tokens["refresh_token"]) for _ in range(2)))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    clock.forward(seconds=9)
    assert (await pocket.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_later_replay_ends_the_session_of_a_public_app(pocket, alices, clock):
    first = await pocket.let_in(alices, "profile offline_access")
    second = (await pocket.refresh(first["refresh_token"])).json()
    clock.forward(seconds=11)

    assert outcome(await pocket.refresh(first["refresh_token"])) == (400, "invalid_grant")

    assert outcome(await pocket.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert (await pocket.get("/api/v1/me", second)).status_code == 401


async def test_the_grace_is_for_the_last_token_of_the_same_public_app(app, api, pocket, alices):
    one = await pocket.let_in(alices, "profile offline_access")
    two = (await pocket.refresh(one["refresh_token"])).json()
    other = await register_app(
        app,
        api,
        "http://127.0.0.1/callback",
        grant_types=("authorization_code", "refresh_token"),
        public=True,
    )

    assert outcome(await other.refresh(one["refresh_token"])) == (400, "invalid_grant")
    assert (await pocket.get("/api/v1/me", two)).status_code == 200

    await pocket.refresh(two["refresh_token"])
    assert outcome(await pocket.refresh(one["refresh_token"])) == (400, "invalid_grant")
    assert (await pocket.get("/api/v1/me", two)).status_code == 401


async def test_an_unknown_scope_is_ignored_at_a_refresh_and_for_an_app_itself(garden, alices):
    tokens = await garden.let_in(alices, "profile offline_access")

    refreshed = await garden.refresh(tokens["refresh_token"], scope="profile address")
    own = await garden.post("/oauth/token", grant_type="client_credentials", scope="codes:read phone")

    assert (refreshed.json()["scope"], own.json()["scope"]) == ("profile", "codes:read")


async def test_one_apps_refresh_token_is_nothing_to_another(garden, rival, pocket, api, alices):
    tokens = await garden.let_in(alices, "profile offline_access")
    token = tokens["refresh_token"]

    for other in (rival, pocket):
        assert outcome(await other.refresh(token)) == (400, "invalid_grant")
    as_our_own = await ask(api, grant_type="refresh_token", refresh_token=token)
    assert outcome(as_our_own) == (400, "invalid_grant")
    assert (await garden.refresh(token)).status_code == 200


async def test_our_own_refresh_token_is_nothing_to_an_app(garden, pocket, alice):
    for other in (garden, pocket):
        assert outcome(await other.refresh(alice.tokens["refresh_token"])) == (400, "invalid_grant")

    answer = await ask(alice.api, grant_type="refresh_token", refresh_token=alice.tokens["refresh_token"])
    assert answer.status_code == 200


async def test_our_own_sessions_refresh_as_before(alice):
    token = alice.tokens["refresh_token"]
    answers = [await ask(alice.api, grant_type="refresh_token", refresh_token=token) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]  # ten seconds of grace
    assert answers[0].json()["refresh_token"] == answers[1].json()["refresh_token"]
    keys = {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert answers[0].json().keys() == keys


async def test_our_own_refresh_takes_no_notice_of_an_old_access_token(alice):
    answer = await ask(
        alice.api,
        headers={"Authorization": f"Bearer {alice.tokens['access_token']}"},
        grant_type="refresh_token",
        refresh_token=alice.tokens["refresh_token"],
    )

    assert answer.status_code == 200


# Apps on their own behalf


async def test_an_app_gets_a_token_of_its_own(garden):
    tokens = (await garden.post("/oauth/token", grant_type="client_credentials")).json()

    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert tokens["scope"] == "profile email codes:read codes:write referrals:read"


async def test_a_token_of_an_app_itself_opens_nothing_of_a_person(garden, alice):
    tokens = (await garden.post("/oauth/token", grant_type="client_credentials")).json()

    for path in (
        "/api/v1/me",
        "/api/v1/me/referral-codes",
        "/api/v1/me/sessions",
        f"/api/v1/users/{alice.id}/referrals",
        "/oauth/userinfo",
    ):
        answer = await garden.get(path, tokens)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        assert "client_credentials" in answer.json()["detail"]
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_a_token_of_an_app_itself_is_nothing_to_administrators(garden):
    tokens = (await garden.post("/oauth/token", grant_type="client_credentials")).json()

    assert (await garden.get("/api/v1/admin/users", tokens)).status_code == 404


async def test_a_token_of_an_app_itself_expires(garden, clock):
    tokens = (await garden.post("/oauth/token", grant_type="client_credentials")).json()
    clock.forward(minutes=10)

    answer = await garden.get("/api/v1/me", tokens)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.one_database
@pytest.mark.parametrize("scope", ["openid", "offline_access", "admin", "codes:read openid", "root"])
async def test_an_app_itself_gets_no_more_than_makes_sense(garden, scope):
    answer = await garden.post("/oauth/token", grant_type="client_credentials", scope=scope)

    assert outcome(answer) == (400, "invalid_scope")


async def test_anybody_could_be_an_app_without_a_secret(pocket):
    answer = await pocket.post("/oauth/token", grant_type="client_credentials")

    assert outcome(answer) == (400, "unauthorized_client")


def test_all_is_all():
    from goodword.oauth.scopes import SCOPES

    assert set(ALL.split()) == set(SCOPES) - {"admin"}


async def test_what_an_app_asks_is_counted_once_it_has_shown_who_it_is(garden, database_url):
    async def ask_for_its_own():
        return (await garden.post("/oauth/token", grant_type="client_credentials")).status_code

    async with second_service(database_url, limits="app=2/minute") as other:
        garden.api, secret = other, garden.secret
        garden.secret = "wrong"
        assert [await ask_for_its_own() for _ in range(3)] == [401] * 3
        garden.secret = secret
        assert [await ask_for_its_own() for _ in range(3)] == [200, 200, 429]
