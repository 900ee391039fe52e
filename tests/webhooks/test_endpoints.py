"""Endpoints in the API: create, list, change and delete them, and rotate their secrets."""

import base64
import uuid

import pytest

from goodword.webhooks import service
from other_programs import make_program
from server_keys import make_key
from webhooks.conftest import SCOPES, URL, Webhooks


async def test_a_new_endpoint_shows_its_secret_once(webhooks, rows):
    made = await webhooks.create("referral.confirmed", "code.created", description="The backend")

    secret = made.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert made["kinds"] == ["code.created", "referral.confirmed"]
    assert (made["status"], made["disabled_reason"], made["program"]) == ("enabled", None, None)
    assert (await webhooks.call("GET", f"/{made['id']}")).json() == made
    assert (await webhooks.call("GET")).json() == {"items": [made], "next_cursor": None}
    stored = await rows("SELECT secret, previous_secret FROM webhook_endpoints")
    assert secret.encode() not in bytes(stored[0][0])


async def test_a_change_gives_only_some_fields(webhooks):
    made = await webhooks.create()

    answer = await webhooks.call("PATCH", f"/{made['id']}", {"kinds": ["user.erased", "user.erased"]})

    assert answer.json()["kinds"] == ["user.erased"]
    assert answer.json()["url"] == URL
    disabled = await webhooks.call("PATCH", f"/{made['id']}", {"status": "disabled"})
    assert (disabled.json()["status"], disabled.json()["disabled_reason"]) == ("disabled", "requested")
    enabled = await webhooks.call("PATCH", f"/{made['id']}", {"status": "enabled"})
    assert (enabled.json()["status"], enabled.json()["disabled_reason"]) == ("enabled", None)


async def test_a_deleted_endpoint_is_unknown_and_keeps_no_secret(webhooks, rows):
    made = await webhooks.create()

    assert (await webhooks.call("DELETE", f"/{made['id']}")).status_code == 204

    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate-secret")):
        body = {"description": "x"} if method == "PATCH" else None
        answer = await webhooks.call(method, f"/{made['id']}{path}", body)
        assert answer.json()["code"] == "webhook_endpoint_not_found", method
    assert await rows("SELECT secret FROM webhook_endpoints") == [(None,)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": []},
        {"kinds": ["user.renamed"]},
        {"kinds": "user.created"},
        {"url": None},
        {"status": "gone"},
    ],
)
async def test_a_wrong_field_is_refused(webhooks, wrong):
    made = await webhooks.create()

    assert (await webhooks.call("PATCH", f"/{made['id']}", wrong)).status_code == 422


async def test_a_rotation_shows_another_secret_and_keeps_the_last_two(webhooks, rows):
    made = await webhooks.create()

    first, second = [(await webhooks.call("POST", f"/{made['id']}/rotate-secret")).json() for _ in range(2)]

    assert len({made["secret"], first["secret"], second["secret"]}) == 3
    assert await rows("SELECT count(*) FROM webhook_endpoints WHERE previous_valid_until IS NOT NULL") == [
        (1,)
    ]


@pytest.mark.parametrize("path", ["", "/rotate-secret"])
async def test_a_repeated_request_gets_the_same_secret(webhooks, rows, path):
    place = f"/{(await webhooks.create())['id']}{path}" if path else ""
    body = None if path else {"url": URL, "kinds": ["user.created"]}

    answers = [await webhooks.call("POST", place, body, Idempotency_Key="once") for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    (kept,) = await rows("SELECT body FROM idempotency_keys")
    assert answers[0].json()["secret"] not in kept[0]


async def test_a_key_of_one_program_sees_its_endpoints_alone(app, api, webhooks):
    acme, other = await make_program(api), await make_program(api, "other")
    limited = Webhooks(api, await make_key(app, SCOPES, program_id=acme.id))
    shared, theirs = await webhooks.create(), await webhooks.create(program="other")

    own = await limited.create()

    assert own["program"] == "acme"
    assert [one["id"] for one in (await limited.call("GET")).json()["items"]] == [own["id"]]
    for hidden in (shared, theirs):
        assert (await limited.call("GET", f"/{hidden['id']}")).status_code == 404
        assert (await limited.call("DELETE", f"/{hidden['id']}")).status_code == 404
    refused = await limited.call("POST", body={"url": URL, "kinds": ["user.created"], "program": other.slug})
    assert refused.json()["code"] == "program_not_found"


async def test_there_are_20_at_most(webhooks):
    made = [await webhooks.create() for _ in range(service.MAX_ENDPOINTS)]

    full = await webhooks.call("POST", body={"url": URL, "kinds": ["user.created"]})

    assert (full.status_code, full.json()["code"]) == (409, "too_many_webhook_endpoints")
    await webhooks.call("DELETE", f"/{made[0]['id']}")
    await webhooks.create()


async def test_pages_follow_each_other(webhooks):
    made = [(await webhooks.create())["id"] for _ in range(3)]

    first = (await webhooks.call("GET", "?limit=2")).json()
    second = (await webhooks.call("GET", f"?limit=2&cursor={first['next_cursor']}")).json()

    assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None


async def test_an_unknown_id_is_not_found(webhooks):
    assert (await webhooks.call("GET", f"/{uuid.uuid4()}")).status_code == 404
    assert (await webhooks.call("GET", "/none")).status_code in {404, 422}
