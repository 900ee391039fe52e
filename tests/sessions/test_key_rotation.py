"""Signing keys: made once, published before they sign, rotated with overlap or at once, followed by every process."""

import asyncio
import base64
import json

import pytest
from sqlalchemy import delete, update

from asgi import client_of, running, settings_for
from goodword.app import create_app
from goodword.sessions.keys import rotate
from goodword.sessions.models import SigningKey
from people import Person, sign_in
from third_party import register_app


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


@pytest.fixture
async def fresh_keys(alice, app, clock):
    """No key of an earlier test waits for its turn, and Alice's token has the current one."""
    await rotate_keys(app, clock, at_once=True)
    await app.state.services.signing_keys.load()
    await alice.sign_in()


async def published(api):
    """Return the ids of the keys in the JWKS by algorithm, and the seconds for which clients may cache it."""
    answer = await api.get("/.well-known/jwks.json")
    keys = answer.json()["keys"]
    lifetime = int(answer.headers["cache-control"].partition("max-age=")[2])
    return {alg: {key["kid"] for key in keys if key["alg"] == alg} for alg in ("ES256", "RS256")}, lifetime


@pytest.mark.usefixtures("fresh_keys")
async def test_a_new_key_signs_only_when_every_cached_copy_of_the_keys_has_it(alice, app, clock):
    first = key_id(alice.tokens["access_token"])
    before, lifetime = await published(alice.api)

    await rotate_keys(app, clock)
    await app.state.services.signing_keys.load()

    after, _ = await published(alice.api)
    for algorithm in ("ES256", "RS256"):
        assert after[algorithm] > before[algorithm]
    clock.forward(seconds=lifetime)
    await alice.sign_in()
    assert key_id(alice.tokens["access_token"]) == first
    clock.forward(seconds=5)  # without another look at the database
    await alice.sign_in()
    assert key_id(alice.tokens["access_token"]) in after["ES256"] - before["ES256"]
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_tokens_of_the_old_key_live_on_after_a_rotation(alice, app, clock):
    await rotate_keys(app, clock)
    clock.forward(seconds=304)
    await app.state.services.signing_keys.load()

    assert (await alice.get("/api/v1/me")).status_code == 200


@pytest.mark.usefixtures("fresh_keys")
async def test_two_rotations_within_the_lead_sign_in_turn(alice, app, clock):
    used = [key_id(alice.tokens["access_token"])]
    for _ in range(2):
        await rotate_keys(app, clock)
        await app.state.services.signing_keys.load()
        clock.forward(seconds=100)
    for seconds in (110, 100):
        clock.forward(seconds=seconds)
        await app.state.services.signing_keys.load()
        await alice.sign_in()
        used.append(key_id(alice.tokens["access_token"]))

    assert len(set(used)) == 3


@pytest.mark.parametrize("count", [1, 20])
async def test_another_node_takes_tokens_of_a_key_it_has_not_seen(alice, app, other_node, clock, count):
    await rotate_keys(app, clock, at_once=True)
    await app.state.services.signing_keys.load()
    await alice.sign_in()

    async with client_of(other_node) as client:
        there = Person(client, "alice", alice.email, alice.user, alice.tokens)
        answers = await asyncio.gather(*(there.get("/api/v1/me") for _ in range(count)))

    assert [answer.status_code for answer in answers] == [200] * count


async def test_another_node_tells_apps_about_a_token_of_a_key_it_has_not_seen(app, other_node, api, clock):
    garden = await register_app(app, api, "https://garden.example/callback")
    await rotate_keys(app, clock, at_once=True)
    await app.state.services.signing_keys.load()
    own = (await garden.post("/oauth/token", grant_type="client_credentials")).json()

    async with client_of(other_node) as client:
        garden.api = client
        answer = await garden.post("/oauth/introspect", token=own["access_token"])

    assert answer.json()["active"] is True


async def test_every_node_signs_with_the_new_key_soon_after_an_emergency(alice, app, other_node, clock):
    old = key_id(alice.tokens["access_token"])
    await rotate_keys(app, clock, at_once=True)

    async with client_of(other_node) as client:
        for _ in range(25):
            await asyncio.sleep(0.2)
            fresh = (await sign_in(client, alice.email)).json()["access_token"]
            if key_id(fresh) != old:
                break
    assert key_id(fresh) != old


async def test_a_node_goes_on_to_follow_the_keys_after_one_that_it_cannot_read(
    alice, app, clock, database_url, monkeypatch
):
    """A restore with another secret leaves such a key. The node says so, and takes the next good ones."""
    monkeypatch.setattr("goodword.sessions.keys.WATCH_SECONDS", 0.05)
    monkeypatch.setattr("goodword.sessions.keys.STALE_SECONDS", 0.3)

    async def keys_are(wanted):
        for _ in range(200):
            ready = await client.get("/readyz")
            if ready.json()["checks"]["keys"] == wanted:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(ready.text)

    database = app.state.services.database
    async with (
        running(create_app(settings_for(database_url), clock=clock)) as node,
        client_of(node) as client,
    ):
        values = {"algorithm": "ES256", "private_key": b"of another secret", "created_at": clock()}
        async with database.transaction() as session:
            await session.execute(update(SigningKey).values(retired_at=clock()))
            session.add(SigningKey(**values))
        await keys_are("degraded")

        async with database.transaction() as session:
            await session.execute(delete(SigningKey).where(SigningKey.private_key == values["private_key"]))
        await rotate_keys(app, clock, at_once=True)
        await app.state.services.signing_keys.load()  # it may have read the other key as well
        await keys_are("ok")
        person = Person(client, "alice", alice.email, alice.user, alice.tokens)
        await statuses_until(person, 401)
        await person.sign_in()
        assert (await person.get("/api/v1/me")).status_code == 200


async def test_rotate_now_ends_older_tokens_on_every_node(alice, app, other_node, clock):
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
    clock.forward(hours=1, minutes=5, seconds=5)
    await app.state.services.signing_keys.load()

    assert not before & {key["kid"] for key in app.state.services.signing_keys.public()}


async def test_private_keys_are_sealed_in_the_database(app, rows):
    for (sealed,) in await rows("SELECT private_key FROM signing_keys"):
        assert b"PRIVATE KEY" not in bytes(sealed)
