"""Who may do what: a rule for every operation there is, held against every kind of caller.

A new operation needs one line in `POLICY`, and one in `BODIES` if the example of its OpenAPI is not enough.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from asgi import client_of, document
from goodword.admin import service as admin
from goodword.codes import service as codes
from goodword.codes.models import ReferralCode
from goodword.codes.schemas import CodeCreate
from goodword.oauth.models import OAuthClient, OAuthGrant
from goodword.referrals import service as referrals
from goodword.referrals.attributed import Attributed
from goodword.sessions import service as sessions
from goodword.sessions.models import UserSession
from goodword.sessions.service import OWN_SCOPE, ClientInfo
from goodword.sessions.tokens import CLIENT
from goodword.users import service as users
from goodword.users.models import User
from sweeps import Sweep

pytestmark = pytest.mark.one_database


@dataclass(frozen=True)
class Rule:
    """What a token needs to do it. `owned`: what the path names is found by its owner alone."""

    scope: str | None = None
    owned: bool = False
    for_admins_too: bool = False
    hidden: bool = False


PUBLIC = Rule()
ADMIN = Rule("admin", hidden=True)


def needs(scope: str) -> Rule:
    return Rule(scope)


def own(scope: str, *, for_admins_too: bool = False) -> Rule:
    return Rule(scope, owned=True, for_admins_too=for_admins_too)


POLICY = {
    # Registration, sessions
    "register": PUBLIC,
    "sign_in": PUBLIC,
    "begin_outside_sign_in": PUBLIC,
    "finish_outside_sign_in": PUBLIC,
    "list_sessions": needs("account"),
    "end_all_sessions": needs("account"),
    "sign_out": needs("account"),
    "end_session": own("account"),
    # OAuth 2.0: the app itself is asked who it is, not a person's token
    "token": PUBLIC,
    "revoke": PUBLIC,
    "introspect": PUBLIC,
    "read_userinfo": needs("openid"),
    "post_userinfo": needs("openid"),
    "read_metadata": PUBLIC,
    "read_openid_configuration": PUBLIC,
    "read_jwks": PUBLIC,
    "list_apps": needs("account"),
    "revoke_app_access": own("account"),
    # Codes
    "create_code": needs("codes:write"),
    "list_codes": needs("codes:read"),
    "read_code": own("codes:read"),
    "update_code": own("codes:write"),
    "delete_code": own("codes:write"),
    "activate_code": own("codes:write"),
    "draw_code_svg": own("codes:read"),
    "draw_code_png": own("codes:read"),
    "find_code_by_email": PUBLIC,
    "find_code": PUBLIC,
    # Referrals
    "list_referrals": own("referrals:read", for_admins_too=True),
    "read_referral_stats": own("referrals:read", for_admins_too=True),
    "list_own_referrals": needs("referrals:read"),
    "read_own_referral_stats": needs("referrals:read"),
    # Letters to friends
    "invite": needs("account"),
    "request_code_email": PUBLIC,
    "unsubscribe_by_token": PUBLIC,
    # The account
    "read_me": needs("profile"),
    "update_me": needs("account"),
    "delete_me": needs("account"),
    "export_me": needs("account"),
    "change_password": needs("account"),
    "request_email_change": needs("account"),
    "confirm_email_change": PUBLIC,
    "request_email_verification": PUBLIC,
    "verify_email": PUBLIC,
    "request_password_reset": PUBLIC,
    "reset_password": PUBLIC,
    "check_email": needs("account"),
    # Health
    "livez": PUBLIC,
    "readyz": PUBLIC,
    # Administration
    "find_users": ADMIN,
    "read_user": ADMIN,
    "disable_user": ADMIN,
    "enable_user": ADMIN,
    "erase_user": ADMIN,
    "read_referral_tree": ADMIN,
    "revoke_code": ADMIN,
    "reject_referral": ADMIN,
    "list_audit_events": ADMIN,
}

BODIES: dict[str, dict[str, Any]] = {
    "post_userinfo": {"access_token": ""},  # the token is in the header
    "register": {"email": "new@example.com", "password": "quiet otters swim at dawn"},
}

DOCUMENT = document()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
SCOPES = sorted({rule.scope for rule in POLICY.values() if rule.scope} | set(OWN_SCOPE.split()))


def test_every_operation_has_a_rule_and_every_rule_an_operation():
    assert set(POLICY) == set(OPERATIONS)


def test_an_operation_declares_the_scope_that_its_rule_asks_for():
    with Sweep() as sweep:
        for name in sorted(OPERATIONS):
            with sweep.case(f"{name!a}"):
                _, _, operation = OPERATIONS[name]
                declared = [scopes for way in operation.get("security", ()) for scopes in way.values()]
                rule = POLICY[name]

                assert all(scopes == [rule.scope] for scopes in declared)
                assert bool(declared) == (rule.scope is not None)


@dataclass
class World:
    """Someone with all that a path can name, made again after each write that was allowed: writes erase, disable and sign out."""

    app: FastAPI
    owner: User
    code: ReferralCode
    referral_id: uuid.UUID
    elsewhere: UserSession
    let_in: OAuthClient

    def path_of(self, template: str) -> str:
        return template.format(
            user_id=self.owner.id,
            code=self.code.code,
            referral_id=self.referral_id,
            session_id=self.elsewhere.id,
            client_id=self.let_in.client_id,
            provider="google",
        )

    async def token(self, user: User, scope: str = OWN_SCOPE, client: str = CLIENT) -> str:
        """An access token as the service signs it, of a new session with this scope."""
        services = self.app.state.services
        now = services.clock()
        async with services.database.transaction() as session:
            begun = await sessions.create(
                session, user, client=client, scope=scope, client_info=ClientInfo(), now=now
            )
        return services.access_tokens.sign(
            user_id=user.id, session_id=begun.id, client=client, scope=scope, now=now
        )

    async def person(self, *, is_admin: bool = False) -> User:
        async with self.app.state.services.database.transaction() as session:
            return await make_user(session, self.app.state.services.clock(), is_admin=is_admin)


async def make_user(session, now, *, is_admin=False):
    user = await users.create(
        session,
        email=f"{uuid.uuid4()}@example.com",
        password_hash=None,
        first_name=None,
        last_name=None,
        now=now,
    )
    user.is_admin = is_admin
    return user


async def make_world(app):
    now = app.state.services.clock()
    async with app.state.services.database.transaction() as session:
        owner, friend = await make_user(session, now), await make_user(session, now)
        code = await codes.create(
            session,
            app.state.services,
            owner,
            CodeCreate.model_validate({"lifetime": 3600}),
            now=now,
        )
        attributed = Attributed(code.id, owner.id, "Alice L.")
        referral_id = referrals.record(session, attributed, friend, confirmed=True, now=now)
        elsewhere = await sessions.create(
            session, owner, client=CLIENT, scope=OWN_SCOPE, client_info=ClientInfo(), now=now
        )
        let_in = OAuthClient(
            client_id=str(owner.id),
            name="An app",
            redirect_uris="https://app.example.com/back",
            scope="profile",
            grant_types="authorization_code",
            created_at=now,
        )
        session.add(let_in)
        await session.flush()
        session.add(OAuthGrant(user_id=owner.id, client_id=let_in.id, scope="profile", created_at=now))
    return World(app, owner, code, referral_id, elsewhere, let_in)


def outcome(answer: Response) -> str:
    """What the answer says of the right to ask. The code decides: 401 is also a wrong password's answer."""
    assert answer.status_code < 500, answer.text
    if answer.headers.get("content-type") != "application/problem+json":
        return "allowed"
    if (code := answer.json()["code"]) in ("unauthorized", "invalid_token", "insufficient_scope"):
        return code
    return "not found" if answer.status_code == 404 else "allowed"


async def call(api: AsyncClient, world: World, name: str, token: str | None) -> str:
    method, path, operation = OPERATIONS[name]
    content = operation.get("requestBody", {}).get("content", {})
    body = BODIES.get(name) or next((example_of(described) for described in content.values()), None)
    sent: dict[str, Any] = {"data" if "application/x-www-form-urlencoded" in content else "json": body}
    asked = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    answer = await api.request(
        method,
        world.path_of(path),
        params={"email": world.owner.email} if "email" in asked else {},
        headers={"Authorization": f"Bearer {token}"} if token else {},
        **(sent if content else {}),
    )
    return outcome(answer)


def example_of(described: dict[str, Any]) -> Any:
    if "example" in described:
        return described["example"]
    examples = described.get("examples")
    if examples:
        return next(iter(examples.values()))["value"]
    schema = described["schema"]
    return DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"][0]


Token = Callable[[World], Awaitable[str | None]]


async def expect(app: FastAPI, token: Token, expected: Callable[[Rule], str]) -> None:
    """Call everything with such a token, and compare what each answer says with its rule."""
    found, wanted = {}, {}
    world = await make_world(app)
    shown = await token(world)
    async with client_of(app) as api:
        for name, rule in POLICY.items():
            found[name] = await call(api, world, name, shown)
            if OPERATIONS[name][0] != "GET" and found[name] == "allowed":
                world = await make_world(app)
                shown = await token(world)
            # What is public may find nothing: a code that nobody has, a provider that is not set up.
            if rule == PUBLIC and found[name] == "not found":
                found[name] = "allowed"
            wanted[name] = "allowed" if rule == PUBLIC else expected(rule)
    assert found == wanted


def refused(rule: Rule, how: str) -> str:
    return "not found" if rule.hidden else how


async def test_anonymous(app):
    async def nothing(_):
        return None

    await expect(app, nothing, lambda rule: refused(rule, "unauthorized"))


async def test_a_token_that_is_none(app):
    async def nonsense(_):
        return "eyJhbGciOiJub25lIn0.e30."

    await expect(app, nonsense, lambda rule: refused(rule, "invalid_token"))


@pytest.mark.parametrize("status", ["disabled", "erased"])
async def test_somebody_disabled_or_erased_with_a_token_that_did_not_expire(app, status):
    async def left_over(world):
        token = await world.token(world.owner, f"{OWN_SCOPE} openid admin")
        async with app.state.services.database.transaction() as session:
            if status == "disabled":
                await admin.disable(session, world.owner.id, by=None, now=app.state.services.clock())
            else:
                await admin.erase(session, app.state.services, world.owner.id, by=None)
        return token

    await expect(app, left_over, lambda rule: refused(rule, "invalid_token"))


async def test_an_app_on_its_own_behalf(app):
    async def app_token(_):
        scope = " ".join(SCOPES)
        return app.state.services.server_tokens.for_client("an-app", scope, now=app.state.services.clock())

    await expect(app, app_token, lambda rule: refused(rule, "insufficient_scope"))


async def test_the_owner(app):
    async def own_token(world):
        return await world.token(world.owner, f"{OWN_SCOPE} openid")

    await expect(app, own_token, lambda rule: refused(rule, "allowed"))


async def test_a_stranger(app):
    async def anothers(world):
        return await world.token(await world.person(), f"{OWN_SCOPE} openid")

    await expect(app, anothers, lambda rule: "not found" if rule.owned or rule.hidden else "allowed")


async def test_an_administrator(app):
    async def administrators(world):
        return await world.token(await world.person(is_admin=True), f"{OWN_SCOPE} openid admin")

    await expect(
        app,
        administrators,
        lambda rule: "not found" if rule.owned and not rule.for_admins_too else "allowed",
    )


async def test_somebody_who_was_an_administrator_when_they_signed_in(app):
    async def former(world):
        return await world.token(await world.person(), f"{OWN_SCOPE} openid admin")

    await expect(app, former, lambda rule: "not found" if rule.owned or rule.hidden else "allowed")


async def test_an_administrator_through_an_app_that_may_not_administer(app):
    async def limited(world):
        scope = " ".join(scope for scope in SCOPES if scope != "admin")
        return await world.token(await world.person(is_admin=True), scope, "an-app")

    await expect(app, limited, lambda rule: "not found" if rule.owned or rule.hidden else "allowed")


@pytest.mark.parametrize("scope", SCOPES)
async def test_an_app_with_one_scope(app, scope):
    async def narrow(world):
        return await world.token(world.owner, scope, "an-app")

    await expect(
        app,
        narrow,
        lambda rule: refused(rule, "allowed" if rule.scope == scope else "insufficient_scope"),
    )
