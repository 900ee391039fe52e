"""E84 and E88: attempts, their schedule, and the end of an endpoint."""

from datetime import timedelta

import pytest

from goodword.webhooks import schedule
from people import register
from webhooks.receivers import BIG, CLOSE, HANG, RESET, receiving, sending

DELIVERY = "SELECT status, attempt, response_status, error FROM webhook_deliveries"
ATTEMPTS = "SELECT count(*) FROM webhook_attempts"


@pytest.mark.parametrize("status", [200, 204, 299])
async def test_e84_2xx_is_a_success(api, webhooks, receiver, deliver, rows, status):
    receiver.usual = status
    await webhooks.create("user.created", url=receiver.url)

    await register(api, "carol")
    await deliver()

    assert await rows(DELIVERY) == [("succeeded", 1, status, None)]
    assert await rows(ATTEMPTS) == [(1,)]


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (301, 301, None),
        (400, 400, None),
        (500, 500, None),
        (RESET, None, "connection_failed"),
        (CLOSE, None, "protocol_error"),
    ],
)
async def test_e84_a_failure_is_tried_again_with_the_same_id(
    api, webhooks, receiver, deliver, rows, clock, answer, status, error
):
    receiver.answers, receiver.headers = [answer], {"Location": "/elsewhere"}
    await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")

    await deliver()

    assert await rows(DELIVERY) == [("pending", 1, status, error)]
    clock.forward(seconds=6)
    await deliver()
    assert await rows(DELIVERY) == [("succeeded", 2, 200, None)]
    first, second = receiver.got
    assert (first.id, first.body, first.path) == (second.id, second.body, second.path)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


async def test_e84_a_large_answer_is_not_read_to_its_end(api, webhooks, receiver, deliver, rows):
    receiver.usual = BIG
    await webhooks.create("user.created", url=receiver.url)

    await register(api, "carol")
    await deliver()

    assert await rows(DELIVERY) == [("succeeded", 1, 200, None)]


async def test_e84_a_receiver_that_hangs_is_given_up_in_time(
    api, webhooks, receiver, deliver, rows, monkeypatch
):
    monkeypatch.setattr("goodword.webhooks.delivery.BUDGET", 0.3)
    receiver.usual = HANG
    await webhooks.create("user.created", url=receiver.url)

    await register(api, "carol")
    await deliver()

    assert await rows(DELIVERY) == [("pending", 1, None, "timeout")]


async def test_e84_no_connection_and_no_tls_are_failures(app, api, webhooks, deliver, rows):
    async with receiving() as receiver:
        await webhooks.create("user.created", url=receiver.url.replace("http:", "https:"))
        with sending(app):
            await register(api, "carol")
            await deliver()
            assert (await rows(DELIVERY))[0][3] == "tls_failed"
        await webhooks.create("user.created", url=receiver.url)
    with sending(app):
        await register(api, "dave")
        await deliver()
    assert "connection_failed" in {error for *_, error in await rows(DELIVERY)}


async def test_e84_the_delays_are_those_of_the_specification(api, webhooks, receiver, deliver, rows, clock):
    receiver.usual = 500
    await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")

    await deliver()
    for attempt, delay in enumerate(schedule.DELAYS, start=1):
        clock.forward(seconds=delay.total_seconds() * 0.99 - 1)
        await deliver()
        assert len(receiver.got) == attempt, "not too early"
        clock.forward(seconds=delay.total_seconds() * (0.01 + schedule.JITTER) + 2)
        await deliver()
        assert len(receiver.got) == attempt + 1

    assert await rows(DELIVERY) == [("failed", 10, 500, None)]
    assert sum(schedule.DELAYS, timedelta()) > timedelta(days=3)
    clock.forward(days=2)
    await deliver()
    assert len(receiver.got) == 10


@pytest.mark.parametrize(("asked", "seconds"), [("120", 120), ("1000000", 86400), ("soon", 5), ("-5", 5)])
async def test_e84_retry_after_is_respected(api, webhooks, receiver, deliver, clock, asked, seconds):
    receiver.answers, receiver.headers = [429], {"Retry-After": asked}
    await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    await deliver()

    clock.forward(seconds=seconds - 2)
    await deliver()
    assert len(receiver.got) == 1
    clock.forward(seconds=4)
    await deliver()
    assert len(receiver.got) == 2


async def test_e84_410_disables_the_endpoint(api, webhooks, receiver, deliver, rows, clock):
    made = await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    receiver.usual = 410

    await deliver()

    found = (await webhooks.call("GET", f"/{made['id']}")).json()
    assert (found["status"], found["disabled_reason"]) == ("disabled", "gone")
    await register(api, "dave")
    clock.forward(days=1)
    await deliver()
    assert len(receiver.got) == 1
    assert [status for status, *_ in await rows(DELIVERY)] == ["failed"]
    assert await rows("SELECT details FROM audit_events WHERE action = 'webhook.disabled'") == [
        ('{"why":"gone"}',)
    ]


async def test_e84_five_days_of_failures_disable_the_endpoint(api, webhooks, receiver, deliver, clock):
    made = await webhooks.create("user.created", url=receiver.url)
    receiver.usual = 503
    for day in range(6):
        await register(api, f"friend{day}")
        await deliver()
        found = (await webhooks.call("GET", f"/{made['id']}")).json()
        assert found["status"] == ("disabled" if day == 5 else "enabled"), day
        clock.forward(days=1)
    assert found["disabled_reason"] == "failing"


async def test_e84_a_success_begins_the_five_days_anew(api, webhooks, receiver, deliver, clock):
    made = await webhooks.create("user.created", url=receiver.url)
    for day in range(8):
        receiver.usual = 200 if day == 3 else 503
        await register(api, f"friend{day}")
        await deliver()
        clock.forward(days=1)
    assert (await webhooks.call("GET", f"/{made['id']}")).json()["status"] == "enabled"


async def test_e88_while_a_secret_is_rotated_both_verify(api, webhooks, receiver, deliver, clock):
    made = await webhooks.create("user.created", url=receiver.url)
    rotated = (await webhooks.call("POST", f"/{made['id']}/rotate-secret")).json()

    await register(api, "carol")
    await deliver()

    for secret in (made["secret"], rotated["secret"]):
        assert receiver.got[0].is_signed_by(secret)
    clock.forward(hours=25)
    await register(api, "dave")
    await deliver()
    assert len(receiver.got[-1].headers["webhook-signature"].split()) == 1


async def test_deliveries_of_a_deleted_endpoint_are_not_sent(api, webhooks, receiver, deliver, rows):
    made = await webhooks.create("user.created", url=receiver.url)
    await register(api, "carol")
    await webhooks.call("DELETE", f"/{made['id']}")

    await deliver()

    assert receiver.got == []
    assert await rows(DELIVERY) == [("failed", 0, None, "endpoint_disabled")]
