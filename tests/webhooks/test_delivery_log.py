"""The log of deliveries, test events, and replays of one or a range."""

import uuid
from datetime import timedelta

import pytest

from asgi import replaced
from goodword.jobs import service as jobs
from other_programs import make_program
from people import register
from server_keys import make_key
from webhooks.conftest import SCOPES, Webhooks

DELIVERIES = "/api/v1/webhook-deliveries"


@pytest.fixture
def log(webhooks):
    """Read the deliveries to an endpoint."""

    async def read(endpoint, query=""):
        return (await webhooks.call("GET", f"/{endpoint['id']}/deliveries{query}")).json()["items"]

    return read


@pytest.fixture
def about(api, webhooks):
    """Call an operation of a delivery."""

    async def call(method, delivery_id, path=""):
        headers = {"Authorization": f"Bearer {webhooks.key}"}
        return await api.request(method, f"{DELIVERIES}/{delivery_id}{path}", headers=headers)

    return call


async def test_each_attempt_is_in_the_log(api, webhooks, receiver, deliver, log, about, clock):
    receiver.answers = [500]
    made = await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    await deliver()
    [waiting] = await log(made)
    clock.forward(seconds=6)
    await deliver()

    [delivery] = await log(made)
    details = (await about("GET", delivery["id"])).json()

    assert (waiting["status"], waiting["attempt"], waiting["response_status"]) == ("pending", 1, 500)
    assert waiting["next_attempt_at"] is not None
    assert (delivery["status"], delivery["attempt"], delivery["response_status"]) == ("succeeded", 2, 200)
    assert delivery["next_attempt_at"] is None
    assert [one["response_status"] for one in details["attempts"]] == [200, 500]
    assert details["body"] == receiver.got[0].body
    assert details["event_id"] == receiver.got[0].id
    assert await log(made, "?status=failed") == []


async def test_a_test_event_is_sent_whatever_the_kinds(webhooks, receiver, deliver, log):
    made = await webhooks.create("reward.approved", url=receiver.url)

    for _ in range(2):
        answer = await webhooks.call("POST", f"/{made['id']}/test")
        assert (answer.status_code, answer.json()["status"]) == (201, "pending")
        await deliver()

    assert [one.json["sequence"] for one in receiver.got] == [1, 2]
    assert receiver.kinds == ["webhook.test"] * 2
    assert receiver.got[0].json["data"] == {"endpoint_id": made["id"]}
    assert [one["status"] for one in await log(made)] == ["succeeded", "succeeded"]


async def test_e84_a_failed_delivery_is_replayed_with_its_id(
    api, webhooks, receiver, deliver, log, about, clock
):
    receiver.usual = 410
    made = await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    await deliver()
    [failed] = await log(made)

    refused = await about("POST", failed["id"], "/replay")
    assert refused.json()["code"] == "webhook_endpoint_disabled"
    await webhooks.call("PATCH", f"/{made['id']}", {"status": "enabled"})
    receiver.usual = 200
    replayed = await about("POST", failed["id"], "/replay")
    await deliver()

    assert (replayed.json()["status"], replayed.json()["attempt"]) == ("pending", 0)
    assert [one["status"] for one in await log(made)] == ["succeeded"]
    assert len({one.id for one in receiver.got}) == 1


async def test_a_range_is_replayed(api, webhooks, receiver, deliver, log, clock):
    made = await webhooks.create("user.created", url=receiver.url)
    begun = clock()
    for hour in range(4):
        receiver.answers = [410] if hour == 2 else []
        await register(api, f"friend{hour}")
        await deliver()
        await webhooks.call("PATCH", f"/{made['id']}", {"status": "enabled"})
        clock.forward(hours=1)
    since = (begun + timedelta(minutes=30)).isoformat()
    until = (begun + timedelta(minutes=150)).isoformat()
    place = f"/{made['id']}/replay"

    failed = await webhooks.call("POST", place, {"since": since, "until": until})
    assert failed.json() == {"deliveries": 1, "continue_since": None}
    await deliver()
    receiver.got.clear()
    everything = await webhooks.call("POST", place, {"since": since, "until": until, "only_failed": False})
    assert everything.json()["deliveries"] == 2
    await deliver()

    assert len(receiver.got) == 2
    assert (await webhooks.call("POST", place, {"since": since})).json()["deliveries"] == 0


async def test_a_key_of_another_program_sees_no_delivery(app, api, webhooks, receiver, log):
    made = await webhooks.create(url=receiver.url)
    await webhooks.call("POST", f"/{made['id']}/test")
    [delivery] = await log(made)
    acme = await make_program(api)
    limited = Webhooks(api, await make_key(app, SCOPES, program_id=acme.id))

    assert (await limited.call("GET", f"/{made['id']}/deliveries")).status_code == 404
    headers = {"Authorization": f"Bearer {limited.key}"}
    for method, path in (("GET", delivery["id"]), ("POST", f"{delivery['id']}/replay")):
        answer = await api.request(method, f"{DELIVERIES}/{path}", headers=headers)
        assert answer.json()["code"] == "webhook_delivery_not_found"


async def test_unknown_deliveries_are_not_found(about):
    assert (await about("GET", uuid.uuid4())).status_code == 404
    assert (await about("POST", uuid.uuid4(), "/replay")).status_code == 404


async def test_an_expired_code_is_noticed_once(app, alice, webhooks, receiver, deliver, clock):
    await webhooks.create("code.expired", url=receiver.url)
    code = (await alice.post("/api/v1/me/referral-codes", {"lifetime": 60})).json()
    await alice.post("/api/v1/me/referral-codes", {"lifetime": 60, "active": False})

    for _ in range(3):
        clock.forward(seconds=61)
        await notice_expired_codes(app, deliver)

    assert receiver.kinds == ["code.expired"]
    await alice.patch(f"/api/v1/me/referral-codes/{code['code']}", {"lifetime": 60})
    clock.forward(minutes=2)
    await notice_expired_codes(app, deliver)
    assert [one.json["sequence"] for one in receiver.got] == [1, 2]


async def notice_expired_codes(app, deliver):
    services = app.state.services
    async with services.database.transaction() as session:
        jobs.enqueue(session, "notice_expired_codes", {}, now=services.clock())
    await deliver()


async def test_administrators_are_notified_of_a_disabled_endpoint(api, rita, alice, webhooks, receiver, post):
    receiver.usual = 410
    made = await webhooks.create("user.created", url=receiver.url)
    await post()
    await register(api, "carol")

    letters = await post()

    [letter] = [one for one in letters if one.kind == "webhook_disabled"]
    assert letter.to == rita.email
    assert f"\nhttp://127.0.0.1:8000/sign-in?next=/admin/webhooks/{made['id']}\n" in letter.text
    assert [one.kind for one in await post(to=alice.email)] == []


@pytest.mark.one_database
async def test_without_pages_the_notice_has_no_link(app, api, rita, webhooks, receiver, post):
    receiver.usual = 410
    await webhooks.create("user.created", url=receiver.url)
    await post()
    await register(api, "carol")

    with replaced(app, settings=app.state.services.settings.model_copy(update={"pages": "off"})):
        letters = await post()

    [letter] = [one for one in letters if one.kind == "webhook_disabled"]
    assert "/admin" not in letter.text
    assert "See the endpoint" not in letter.text
