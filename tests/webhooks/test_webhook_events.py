"""E83, E85 and E87: what is sent when something happens, and that a rolled-back transaction sends nothing."""

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from goodword.domain_events import service as domain_events
from goodword.domain_events.events import UserCreated
from goodword.webhooks.kinds import WebhookKind
from other_programs import make_program
from people import bring, make_code, register
from server_keys import make_key
from webhooks.conftest import SCOPES, Webhooks

ALL = tuple(WebhookKind)
ADMIN = "/api/v1/admin"


async def test_e83_a_receiver_verifies_the_signature(api, webhooks, receiver, deliver):
    secret = (await webhooks.create("user.created", url=receiver.url))["secret"]

    await register(api, "carol")
    await deliver()

    [got] = receiver.got
    assert got.is_signed_by(secret)
    assert got.verify(secret) == got.json
    assert got.json.keys() == {"type", "timestamp", "sequence", "data"}
    assert (got.json["type"], got.json["sequence"]) == ("user.created", 1)
    assert abs(datetime.fromisoformat(got.json["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    for changed in ("body", "webhook-timestamp", "webhook-id"):
        other = type(got)(got.path, dict(got.headers), got.body)
        if changed == "body":
            other.body = got.body.replace("created", "erased")
        else:
            other.headers[changed] = str(int(got.headers["webhook-timestamp"]) - 1)
        assert not other.is_signed_by(secret), changed


async def test_e83_an_old_request_is_refused_by_the_recipe(api, webhooks, receiver, deliver, clock):
    secret = (await webhooks.create("user.created", url=receiver.url))["secret"]
    clock.forward(minutes=-6)

    await register(api, "carol")
    await deliver()

    with pytest.raises(WebhookVerificationError, match="too old"):
        receiver.got[0].verify(secret)


async def test_e85_a_story_is_sent_in_the_order_of_each_object(api, alice, rita, webhooks, receiver, deliver):
    await webhooks.create(*ALL, url=receiver.url)

    await bring(alice, "carol")
    referral = (await alice.get(f"/api/v1/users/{alice.id}/referrals")).json()["items"][0]["id"]
    await rita.post(f"{ADMIN}/referrals/{referral}/reject", {"reason": "twice"})
    code = (await alice.get("/api/v1/me/referral-codes")).json()["items"][0]["code"]
    await alice.delete(f"/api/v1/me/referral-codes/{code}")
    await deliver()

    by_object = {}
    for one in receiver.got:
        data = one.json["data"]
        key = data.get("id") or data["user"]["id"]
        by_object.setdefault(key, []).append((one.json["sequence"], one.json["type"]))
    histories = sorted(by_object.values())
    assert [(1, "code.created"), (2, "code.activated"), (3, "code.retired")] in histories
    assert [(1, "referral.confirmed"), (2, "referral.rejected")] in histories
    assert [(1, "user.created")] in histories
    assert len({one.id for one in receiver.got}) == len(receiver.got) == 6


async def test_a_body_has_ids_and_states_and_no_address_name_or_code(api, alice, webhooks, receiver, deliver):
    await webhooks.create(*ALL, url=receiver.url)

    await bring(alice, "carol")
    await deliver()

    bodies = " ".join(one.body for one in receiver.got)
    for hidden in ("carol", "alice", "@", "Liddell"):
        assert hidden not in bodies
    [referral] = [one.json for one in receiver.got if one.json["type"] == "referral.confirmed"]
    assert referral["data"]["program"] == "default"
    assert referral["data"]["referrer"] == {"id": alice.id, "external_id": None}
    assert (referral["data"]["status"], referral["data"]["previous_status"]) == ("confirmed", None)


async def test_external_ids_are_sent_until_the_person_is_erased(app, api, webhooks, receiver, deliver, rows):
    await webhooks.create("user.created", "user.erased", url=receiver.url)
    key = await make_key(app, ("participants:read", "participants:write"))
    headers, path = {"Authorization": f"Bearer {key}"}, "/api/v1/participants/user%2042"

    await api.put(path, json={}, headers=headers)
    await deliver()
    assert (await api.delete(path, headers=headers)).status_code == 204
    await deliver()

    created, erased = receiver.got
    assert created.json["data"]["user"]["external_id"] == "user 42"
    assert erased.json["data"]["user"] == {"id": created.json["data"]["user"]["id"], "external_id": None}
    assert (created.json["sequence"], erased.json["sequence"]) == (1, 2)
    assert not [one for one in await rows("SELECT data FROM webhook_events") if "user 42" in one[0]]


async def test_e87_a_rolled_back_transaction_sends_nothing(app, webhooks, receiver, deliver, rows):
    await webhooks.create("user.created", url=receiver.url)
    services = app.state.services

    with suppress(ZeroDivisionError):
        async with services.database.transaction() as session:
            await domain_events.publish(session, services, UserCreated(uuid.uuid4(), services.clock()))
            raise ZeroDivisionError
    async with services.database.transaction() as session:
        savepoint = await session.begin_nested()
        await domain_events.publish(session, services, UserCreated(uuid.uuid4(), services.clock()))
        await savepoint.rollback()
    await deliver()

    assert receiver.got == []
    for table in ("webhook_events", "webhook_deliveries", "webhook_sequences"):
        assert await rows(f"SELECT count(*) FROM {table}") == [(0,)]


async def test_nothing_is_written_for_kinds_that_no_endpoint_gets(api, alice, webhooks, rows):
    made = await webhooks.create("referral.held", "user.created")
    await webhooks.call("PATCH", f"/{made['id']}", {"kinds": ["referral.held"]})
    disabled = await webhooks.create("user.created", "code.created")
    await webhooks.call("PATCH", f"/{disabled['id']}", {"status": "disabled"})
    deleted = await webhooks.create("user.created", "code.created")
    await webhooks.call("DELETE", f"/{deleted['id']}")

    await bring(alice, "carol")

    assert await rows("SELECT count(*) FROM webhook_events") == [(0,)]


async def test_an_endpoint_of_a_program_gets_its_events_alone(app, api, alice, receiver, deliver):
    acme = await make_program(api)
    limited = Webhooks(api, await make_key(app, SCOPES, program_id=acme.id))
    await limited.create(*ALL, url=receiver.url)
    there = await make_key(app, ("participants:write",), program_id=acme.id)

    await make_code(alice)
    await register(api, "carol")
    await api.put("/api/v1/participants/pat", json={}, headers={"Authorization": f"Bearer {there}"})
    await deliver()

    assert sorted(receiver.kinds) == ["code.activated", "code.created", "user.created"]
    assert {one.json["data"].get("program", "acme") for one in receiver.got} == {"acme"}


async def test_an_endpoint_of_a_program_gets_the_people_alone_whom_its_keys_reported(
    app, api, receiver, deliver
):
    people = {}
    for slug in ("acme", "other", None):
        program_id = (await make_program(api, slug)).id if slug else None
        key = await make_key(app, ("participants:write", *SCOPES), program_id=program_id)
        people[slug] = Webhooks(api, key)
    for slug in ("acme", "other"):
        url = f"{receiver.url}/{slug}"
        await people[slug].create("user.created", "user.erased", url=url)

    for slug, server in people.items():
        headers = {"Authorization": f"Bearer {server.key}"}
        path = f"/api/v1/participants/of-{slug}"
        # The program of a body is where the person takes part; the key says who may see the person.
        body = {} if slug else {"program": "acme"}
        assert (await api.put(path, json=body, headers=headers)).status_code == 201
        await deliver()
        assert (await api.delete(path, headers=headers)).status_code == 204
    await deliver()

    got = sorted((one.path.rpartition("/")[2], one.json["type"]) for one in receiver.got)
    assert got == [(slug, kind) for slug in ("acme", "other") for kind in ("user.created", "user.erased")]
    created = {
        one.path.rpartition("/")[2]: one.json["data"]["user"]["external_id"] for one in receiver.got[::2]
    }
    assert created == {"acme": "of-acme", "other": "of-other"}


async def test_an_event_goes_to_every_endpoint_with_one_id(api, webhooks, receiver, deliver):
    secrets = [(await webhooks.create("user.created", url=receiver.url))["secret"] for _ in range(3)]

    await register(api, "carol")
    await deliver()

    assert len(receiver.got) == 3
    assert len({one.id for one in receiver.got}) == 1
    assert len({one.headers["webhook-signature"] for one in receiver.got}) == len(secrets)
