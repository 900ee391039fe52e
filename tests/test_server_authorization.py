"""What the servers of a product may do: the rules of `POLICY`, held against API keys and apps' own tokens."""

from datetime import timedelta

import pytest

from goodword.api_keys import service as api_keys
from goodword.oauth import registration
from goodword.oauth.scopes import SERVER_SCOPES
from goodword.sessions.service import OWN_SCOPE
from test_authorization import expect, expect_invalid, refused, refused_as_user

pytestmark = pytest.mark.one_database


def unknown_to_users(rule):
    """Operations of users refuse a key as any token that they do not know."""
    return refused(rule, "invalid_token")


@pytest.mark.parametrize("scope", SERVER_SCOPES)
async def test_a_key_with_one_scope(app, scope):
    async def narrow(world):
        return (await world.key([scope]))[1]

    await expect(
        app,
        narrow,
        unknown_to_users,
        by_servers=lambda rule: "allowed" if rule.scope == scope else "insufficient_scope",
    )


async def test_a_key_with_all_scopes(app):
    async def wide(world):
        return (await world.key(SERVER_SCOPES))[1]

    await expect(app, wide, unknown_to_users, by_servers=lambda _: "allowed")


async def test_a_key_of_the_program(app):
    async def limited(world):
        return (await world.key(SERVER_SCOPES, program_id=world.program.id))[1]

    await expect(app, limited, unknown_to_users, by_servers=lambda _: "allowed")


async def test_a_key_of_another_program(app):
    async def limited(world):
        return (await world.key(SERVER_SCOPES, program_id=await world.another_program()))[1]

    await expect(
        app,
        limited,
        unknown_to_users,
        by_servers=lambda rule: "not found" if rule.owned else "allowed",
    )


async def test_a_revoked_key(app):
    async def revoked(world):
        key, text = await world.key(SERVER_SCOPES)
        async with app.state.services.database.transaction() as session:
            assert await api_keys.revoke(session, key.name, now=app.state.services.clock())
        return text

    await expect_invalid(app, revoked)


async def test_an_expired_key(app):
    async def expired(world):
        two_days_ago = app.state.services.clock() - timedelta(days=2)
        return (await world.key(SERVER_SCOPES, now=two_days_ago, lifetime=timedelta(days=1)))[1]

    await expect_invalid(app, expired)


async def client_token(app, scope):
    """The client id and the token of a new app with all scopes of servers, of which the token has some."""
    services = app.state.services
    now = services.clock()
    async with services.database.transaction() as session:
        client, _ = await registration.register(
            session,
            services.keys.oauth,
            name="Acme",
            redirect_uris=[],
            scope=SERVER_SCOPES,
            grant_types=["client_credentials"],
            public=False,
            now=now,
        )
    return client.client_id, services.server_tokens.for_client(client.client_id, " ".join(scope), now=now)


@pytest.mark.parametrize("scopes", [["participants:read"], ["programs:write", "events:write"], SERVER_SCOPES])
async def test_an_app_with_scopes_of_servers(app, scopes):
    async def own_token(_):
        return (await client_token(app, scopes))[1]

    await expect(
        app,
        own_token,
        lambda rule: refused(rule, "insufficient_scope"),
        by_servers=lambda rule: "allowed" if rule.scope in scopes else "insufficient_scope",
    )


async def test_a_disabled_app_with_scopes_of_servers(app):
    async def left_over(_):
        client_id, token = await client_token(app, SERVER_SCOPES)
        async with app.state.services.database.transaction() as session:
            assert await registration.disable(session, client_id, now=app.state.services.clock())
        return token

    await expect(
        app,
        left_over,
        lambda rule: refused(rule, "insufficient_scope"),
        by_servers=lambda _: "invalid_token",
    )


async def test_a_user_whose_token_names_the_scopes_of_servers(app):
    async def forged(world):
        return await world.token(world.owner, " ".join((OWN_SCOPE, "openid", *SERVER_SCOPES)))

    await expect(app, forged, lambda rule: refused(rule, "allowed"), by_servers=refused_as_user)
