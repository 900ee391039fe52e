"""What administrators do with webhooks on pages is recorded as theirs, and what they look at is not recorded."""

import re

import pytest

from asgi import client_of
from audit.operation_stories import Story
from pages.pressing import press
from third_party import Browser

pytestmark = pytest.mark.one_database

LIST = "/admin/webhooks"
FIELDS = {"url": "https://acme.example/2", "user.created": "on"}
STEPS = [
    ("", FIELDS, "webhook.changed", '{"fields":"kinds url"}'),
    ("/test", {}, "webhook.tested", "{}"),
    ("/replay", {"since": "2020-01-01T00:00"}, "webhook.replayed", '{"deliveries":1}'),
    ("/rotate-secret", {}, "webhook.secret_rotated", "{}"),
    ("/disable", {}, "webhook.changed", '{"fields":"status"}'),
    ("/enable", {}, "webhook.changed", '{"fields":"status"}'),
    ("/delete", {}, "webhook.deleted", "{}"),
]
"""Each step with its form, and what is recorded of it."""


@pytest.fixture
async def office(app, rita):
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        yield browser


async def recorded(rows, answer):
    query = "SELECT action, actor, subject, details FROM audit_events WHERE request_id = :request_id"
    return await rows(query, request_id=answer.headers["x-request-id"])


async def test_each_step_is_recorded_as_of_a_person(app, api, alice, bob, rita, post, office, rows):
    created = await press(office, f"{LIST}/new", f"{LIST}/new", **FIELDS)
    assert [row[:3] for row in await recorded(rows, created)] == [
        ("webhook.created", "user", "webhook_endpoint")
    ]
    place, delivery = await Story(app, api, alice, bob, rita, post).failed_delivery()
    log = f"/admin/webhook-deliveries/{delivery}"
    for path in (LIST, f"{LIST}/new", LIST + place, f"{LIST}{place}/deliveries", log):
        shown = await office.get(path)
        assert (shown.status_code, await recorded(rows, shown)) == (200, []), path

    for path, fields, action, details in STEPS:
        done = await press(office, LIST + place, LIST + place + path, **fields)
        assert await recorded(rows, done) == [(action, "user", "webhook_endpoint", details)], path


async def test_a_replay_of_one_is_recorded(app, api, alice, bob, rita, post, office, rows):
    _, delivery = await Story(app, api, alice, bob, rita, post).failed_delivery()
    here = f"/admin/webhook-deliveries/{delivery}"

    done = await press(office, here, here + "/replay")

    assert [row[0] for row in await recorded(rows, done)] == ["webhook.replayed"]
    assert re.search(r"done=again$", done.headers["location"])
