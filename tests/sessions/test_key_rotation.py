"""Signing keys: made once, rotated with overlap or at once, followed by every process."""

import asyncio
import base64
import json

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from goodword.sessions.keys import rotate
from people import Person, sign_in


@pytest.fixture
async def other_node(app, database_url, clock):
    """A second process on the same database."""
    async with running(create_app(settings_for(database_url), clock=clock)) as node:
        yield node


async def rotate_keys(app, clock, *, at_once=False):
    """What `goodword keys rotate` does."""
    async with app.state.services.database.transaction() as session:
        await rotate(session, app.state.services.keys.signing_keys, at_once=at_once, now=clock())


def key_id(token):
    header = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


async def statuses_until(person, wanted):
    """Ask until the answer is the wanted one; a node may take a few seconds to follow."""
    for _ in range(100):
        answer = await person.get("/api/v1/me")
        if answer.status_code == wanted:
            break
        await asyncio.sleep(0.2)
    assert answer.status_code == wanted
    return answer


async def test_old_tokens_live_on_and_new_ones_have_the_new_key(alice, app, clock):
    old = alice.tokens["access_token"]
    await rotate_keys(app, clock)
    await app.state.services.signing_keys.load()

    assert (await alice.get("/api/v1/me")).status_code == 200
    await alice.sign_in()
    assert key_id(alice.tokens["access_token"]) != key_id(old)
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_another_node_takes_a_token_of_a_key_it_has_not_seen(alice, app, other_node, clock):
    await asyncio.sleep(1.1)  # a node looks for unknown keys once a second at most
    await rotate_keys(app, clock)
    await app.state.services.signing_keys.load()
    await alice.sign_in()

    async with client_of(other_node) as client:
        there = Person(client, "alice", alice.email, alice.user, alice.tokens)
        assert (await there.get("/api/v1/me")).status_code == 200


async def test_an_emergency_ends_every_older_token_on_every_node(alice, app, other_node, clock):
    await rotate_keys(app, clock, at_once=True)

    answer = await statuses_until(alice, 401)
    assert answer.json()["code"] == "invalid_token"
    async with client_of(other_node) as client:
        await statuses_until(Person(client, "alice", alice.email, alice.user, alice.tokens), 401)
        fresh = (await sign_in(client, alice.email)).json()
        there = Person(client, "alice", alice.email, alice.user, fresh)
        assert (await there.get("/api/v1/me")).status_code == 200


async def test_a_retired_key_is_forgotten_when_no_token_can_need_it(alice, app, clock):
    before = {key["kid"] for key in app.state.services.signing_keys.public()}
    await rotate_keys(app, clock)
    clock.forward(hours=1, seconds=1)
    await app.state.services.signing_keys.load()

    assert not before & {key["kid"] for key in app.state.services.signing_keys.public()}


async def test_private_keys_are_sealed_in_the_database(app, rows):
    for (sealed,) in await rows("SELECT private_key FROM signing_keys"):
        assert b"PRIVATE KEY" not in bytes(sealed)
