"""Who may do what: a rule for every operation there is, held against every kind of caller.

A new operation needs one line in `POLICY`, and one in `BODIES` if the example of its OpenAPI is not enough.
`test_server_authorization.py` holds the rules against keys of servers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from asgi import client_of
from authorization_world import OPERATIONS, World, call, make_world
from goodword.admin import service as admin
from goodword.sessions.service import OWN_SCOPE
from goodword.sessions.tokens import EMBED
from sweeps import Sweep

pytestmark = pytest.mark.one_database


@dataclass(frozen=True)
class Rule:
    """What a token needs to do it. `owned`: what the path names is found by its owner alone.

    `for_servers`: it needs a key or an app's own token, and `owned` means the keys of one program.
    """

    scope: str | None = None
    owned: bool = False
    for_admins_too: bool = False
    hidden: bool = False
    for_servers: bool = False
    optional: bool = False
    """Anybody may do it. A server's token must be valid and have the scope."""
    embed: bool = False
    """The token of an embed may do it too, which has a scope of its own."""

    @property
    def user_scope(self) -> str | None:
        """The scope that the token of a user needs, or None if no user may do it."""
        if self.for_servers:
            return "admin" if self.for_admins_too else None
        return self.scope

    @property
    def security(self) -> list[dict[str, list[str]]]:
        """What the OpenAPI document says, apart from the flow of users, which the scope decides."""
        wanted: list[dict[str, list[str]]] = [{}] if self.optional else []
        if self.for_servers and self.scope:
            wanted += [{"ApiKey": [self.scope]}, {"ClientCredentials": [self.scope]}]
        if self.user_scope:
            wanted.append({"AccessToken": [self.user_scope]})
            if self.user_scope != "account":
                wanted.append({"OAuth2": [self.user_scope]})
        return wanted


PUBLIC = Rule()
ADMIN = Rule("admin", hidden=True)


def needs(scope: str, *, embed: bool = False) -> Rule:
    return Rule(scope, embed=embed)


def own(scope: str, *, for_admins_too: bool = False) -> Rule:
    return Rule(scope, owned=True, for_admins_too=for_admins_too)


def server(scope: str, *, owned: bool = False, for_admins_too: bool = False, optional: bool = False) -> Rule:
    """For the keys of servers. `owned`: what the path names belongs to a program, and other keys get 404."""
    return Rule(scope, owned=owned, for_admins_too=for_admins_too, for_servers=True, optional=optional)


POLICY = {
    # Registration, sessions
    "register": PUBLIC,
    "sign_in": PUBLIC,
    "begin_provider_sign_in": PUBLIC,
    "finish_provider_sign_in": PUBLIC,
    "list_sessions": needs("account"),
    "end_all_sessions": needs("account"),
    "sign_out": needs("account"),
    "end_session": own("account"),
    # OAuth 2.0: the app itself is asked who it is, not a person's token
    "request_tokens": PUBLIC,
    "revoke_token": PUBLIC,
    "introspect_token": PUBLIC,
    "get_userinfo": needs("openid"),
    "post_userinfo": needs("openid"),
    "get_oauth_metadata": PUBLIC,
    "get_openid_configuration": PUBLIC,
    "get_jwks": PUBLIC,
    "list_apps": needs("account"),
    "revoke_app_access": own("account"),
    # Codes
    "create_code": needs("codes:write"),
    "list_codes": needs("codes:read", embed=True),
    "get_code": own("codes:read"),
    "update_code": own("codes:write"),
    "delete_code": own("codes:write"),
    "activate_code": own("codes:write"),
    "get_code_qr_svg": own("codes:read"),
    "get_code_qr_png": own("codes:read"),
    "find_code_by_email": PUBLIC,
    "find_code": PUBLIC,
    "validate_code": server("participants:read", optional=True),
    # Referrals
    "list_referrals": own("referrals:read", for_admins_too=True),
    "get_referral_stats": own("referrals:read", for_admins_too=True),
    "list_own_referrals": needs("referrals:read", embed=True),
    "get_own_referral_stats": needs("referrals:read", embed=True),
    # Letters to friends
    "invite_friend": needs("account"),
    "request_code_email": PUBLIC,
    "unsubscribe_from_emails": PUBLIC,
    # The account
    "get_me": needs("profile"),
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
    # Participants, for the servers of a product
    "upsert_participant": server("participants:write"),
    "upsert_participants": server("participants:write"),
    "get_participant": server("participants:read", owned=True),
    "erase_participant": server("participants:write", owned=True),
    "export_participant": server("participants:read", owned=True),
    "list_participant_referrals": server("participants:read", owned=True),
    "list_participant_codes": server("participants:read", owned=True),
    "create_participant_code": server("participants:write", owned=True),
    "create_embed_token": server("participants:write", owned=True),
    # Programs
    "list_programs": server("programs:read", for_admins_too=True),
    "create_program": server("programs:write", for_admins_too=True),
    "get_program": server("programs:read", owned=True, for_admins_too=True),
    "update_program": server("programs:write", owned=True, for_admins_too=True),
    # Review
    "list_held_referrals": server("referrals:review", for_admins_too=True),
    "accept_held_referral": server("referrals:review", owned=True, for_admins_too=True),
    "reject_held_referral": server("referrals:review", owned=True, for_admins_too=True),
    # Webhooks
    "list_webhook_endpoints": server("webhooks:read"),
    "create_webhook_endpoint": server("webhooks:write"),
    "get_webhook_endpoint": server("webhooks:read", owned=True),
    "update_webhook_endpoint": server("webhooks:write", owned=True),
    "delete_webhook_endpoint": server("webhooks:write", owned=True),
    "rotate_webhook_secret": server("webhooks:write", owned=True),
    "list_webhook_deliveries": server("webhooks:read", owned=True),
    "get_webhook_delivery": server("webhooks:read", owned=True),
    "send_test_webhook": server("webhooks:write", owned=True),
    "replay_webhook_delivery": server("webhooks:write", owned=True),
    "replay_webhook_deliveries": server("webhooks:write", owned=True),
    # Events and rewards
    "create_event": server("events:write", owned=True),
    "create_events": server("events:write"),
    "dry_run_event": server("events:read", owned=True),
    "list_events": server("events:read"),
    "list_reward_rules": server("programs:read", owned=True, for_admins_too=True),
    "create_reward_rule": server("programs:write", owned=True, for_admins_too=True),
    "get_reward_rule": server("programs:read", owned=True, for_admins_too=True),
    "replace_reward_rule": server("programs:write", owned=True, for_admins_too=True),
    "delete_reward_rule": server("programs:write", owned=True, for_admins_too=True),
    "add_coupons": server("programs:write", owned=True, for_admins_too=True),
    "list_rewards": server("rewards:read"),
    "get_reward": server("rewards:read", owned=True),
    "approve_reward": server("rewards:write", owned=True),
    "fulfil_reward": server("rewards:write", owned=True),
    "cancel_reward": server("rewards:write", owned=True),
    "reverse_reward": server("rewards:write", owned=True),
    "list_participant_rewards": server("participants:read", owned=True),
    "list_own_rewards": needs("referrals:read", embed=True),
    "get_reward_balances": needs("referrals:read", embed=True),
    # Health
    "check_liveness": PUBLIC,
    "check_readiness": PUBLIC,
    # Administration
    "list_users": ADMIN,
    "get_user": ADMIN,
    "disable_user": ADMIN,
    "enable_user": ADMIN,
    "erase_user": ADMIN,
    "get_referral_tree": ADMIN,
    "revoke_code": ADMIN,
    "reject_referral": ADMIN,
    "list_audit_events": ADMIN,
}


def event_of(world: World) -> dict[str, Any]:
    """Return an event of the owner, who is a participant."""
    return {
        "id": "order-1",
        "type": "purchase",
        "participant": {"external_id": world.owner.external_id},
        "occurred_at": world.app.state.services.clock().isoformat(),
        "program": world.program.slug,
    }


BODIES: dict[str, Any] = {
    "create_event": event_of,
    "dry_run_event": event_of,
    "post_userinfo": {"access_token": ""},  # the token is in the header
    "register": {"email": "new@example.com", "password": "quiet otters swim at dawn"},
}

SCOPES = sorted({rule.user_scope for rule in POLICY.values() if rule.user_scope} | set(OWN_SCOPE.split()))


def test_every_operation_has_a_rule_and_every_rule_an_operation():
    assert set(POLICY) == set(OPERATIONS)


def test_an_operation_declares_the_scope_that_its_rule_asks_for():
    with Sweep() as sweep:
        for name in sorted(OPERATIONS):
            with sweep.case(f"{name!a}"):
                _, _, operation = OPERATIONS[name]

                assert operation["security"] == POLICY[name].security


Token = Callable[[World], Awaitable[str | None]]


def refused_as_user(rule: Rule) -> str:
    """What a user is told by an operation for servers."""
    return "allowed" if rule.optional else "insufficient_scope"


async def expect(
    app: FastAPI,
    token: Token,
    expected: Callable[[Rule], str],
    *,
    by_servers: Callable[[Rule], str] = refused_as_user,
) -> None:
    """Call everything with such a token, and compare what each answer says with its rule.

    `by_servers`: what operations for servers answer.
    """
    found, wanted = {}, {}
    world = await make_world(app)
    shown = await token(world)
    async with client_of(app) as api:
        for name, rule in POLICY.items():
            found[name] = await call(api, world, name, shown, BODIES.get(name))
            if OPERATIONS[name][0] != "GET" and found[name] == "allowed":
                world = await make_world(app)
                shown = await token(world)
            # What is public may find nothing: a code that nobody has, a provider that is not set up.
            if rule == PUBLIC and found[name] == "not found":
                found[name] = "allowed"
            wanted[name] = (
                "allowed" if rule == PUBLIC else (by_servers if rule.for_servers else expected)(rule)
            )
    assert found == wanted


def refused(rule: Rule, how: str) -> str:
    return "not found" if rule.hidden else how


async def expect_invalid(app: FastAPI, token: Token) -> None:
    await expect(
        app, token, lambda rule: refused(rule, "invalid_token"), by_servers=lambda _: "invalid_token"
    )


async def test_anonymous(app):
    async def nothing(_):
        return None

    await expect(
        app,
        nothing,
        lambda rule: refused(rule, "unauthorized"),
        by_servers=lambda rule: "allowed" if rule.optional else "unauthorized",
    )


async def test_a_token_that_is_none(app):
    async def nonsense(_):
        return "eyJhbGciOiJub25lIn0.e30."

    await expect_invalid(app, nonsense)


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

    await expect_invalid(app, left_over)


async def test_an_app_on_its_own_behalf(app):
    async def app_token(_):
        scope = " ".join(SCOPES)
        return app.state.services.server_tokens.for_client("an-app", scope, now=app.state.services.clock())

    await expect(
        app,
        app_token,
        lambda rule: refused(rule, "insufficient_scope"),
        by_servers=lambda _: "invalid_token",  # it is not registered
    )


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
        by_servers=lambda rule: "allowed" if rule.for_admins_too else refused_as_user(rule),
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


async def test_a_token_of_an_embed(app):
    async def narrow(world):
        return await world.token(world.owner, EMBED, EMBED)

    def expected(rule):
        if rule.embed:
            return "allowed"
        return "not found" if rule.hidden else "insufficient_scope"

    await expect(app, narrow, expected, by_servers=lambda _: "insufficient_scope")
