"""The delivery log of an endpoint for administrators: filters, a delivery with its attempts, and replays."""

import re
from datetime import timedelta

import pytest

from pages.pressing import press
from people import register
from webhooks.shown_pages import LIST, NOWHERE, rows_of, text_of

pytestmark = pytest.mark.one_database


async def test_failures_are_shown_and_replayed(office, api, receiving_endpoint, receiver, deliver, clock):
    here, log = receiving_endpoint, f"{receiving_endpoint}/deliveries"
    sent = await press(office, here, here + "/test")
    assert sent.headers["location"] == f"{log}?done=tested"
    receiver.answers = [410]
    await deliver()
    assert "The endpoint answered 410." in text_of(await office.get(LIST))
    assert "Send again" not in (await office.get(log)).text
    await press(office, here, here + "/enable")
    await register(api, "carol")
    await deliver()

    assert [row[:4] for row in rows_of(await office.get(log))] == [
        ["user.created", "delivered", "200", "1"],
        ["webhook.test", "failed", "410", "1"],
    ]
    for query, kinds in (
        ("status=failed", ["webhook.test"]),
        ("q=user", ["user.created"]),
        ("q=User.Created", ["user.created"]),
        ("q=reward", []),
        ("q=%25", []),
        (f"q={receiver.got[0].id}", ["webhook.test"]),
        (f"q={NOWHERE}", []),
        ("to=2020-01-01", []),
    ):
        assert [row[0] for row in rows_of(await office.get(f"{log}?{query}"))] == kinds, query

    delivery = re.search(
        r'href="(/admin/webhook-deliveries/[^"]+)"', (await office.get(log + "?status=failed")).text
    )[1]
    page = await office.get(delivery)
    assert [row[1] for row in rows_of(page)] == ["410"]
    assert '{"type":"webhook.test"' in text_of(page)
    assert (await press(office, delivery, delivery + "/replay")).headers[
        "location"
    ] == f"{delivery}?done=again"
    assert "waiting" in text_of(await office.get(delivery))
    await deliver()
    assert [row[1] for row in rows_of(await office.get(delivery))] == ["200", "410"]
    assert receiver.got[0].id == receiver.got[-1].id


async def test_a_time_is_replayed(office, api, receiving_endpoint, receiver, deliver, clock):
    log, replay = f"{receiving_endpoint}/deliveries", f"{receiving_endpoint}/replay"
    begun = clock()
    for name in ("carol", "dave"):
        await register(api, name)
        await deliver()
        clock.forward(hours=1)
    since, until = (f"{begun + timedelta(minutes=n):%Y-%m-%dT%H:%M}" for n in (-1, 30))

    none = await press(office, log, replay, since=since, until=until, only_failed="on")
    one = await press(office, log, replay, since=since, until=until)
    await deliver()

    assert none.headers["location"] == f"{log}?done=nothing"
    assert one.headers["location"] == f"{log}?done=replayed"
    assert len(receiver.got) == 3
    assert receiver.got[2].id == receiver.got[0].id
    for wrong in ({"since": ""}, {"since": "soon"}, {"since": since, "until": "2026-02-30T10:00"}):
        page = await press(office, log, replay, **wrong)
        assert page.status_code == 422
        assert "Enter a date and a time." in page.text


async def test_a_long_range_continues_where_it_stopped(office, webhooks, monkeypatch, receiver, deliver):
    monkeypatch.setattr("goodword.webhooks.deliveries.MAX_REPLAYED", 2)
    made = await webhooks.create(url=receiver.url)
    here, log = f"{LIST}/{made['id']}", f"{LIST}/{made['id']}/deliveries"
    for _ in range(3):
        await press(office, here, here + "/test")
    await deliver()

    part = await press(office, log, here + "/replay", since="2020-01-01T00:00")

    page = await office.get(part.headers["location"])
    assert "The first 10,000 deliveries are sent again." in page.text
    since = re.search(r'name="since"[^>]*value="([^"]+)"', page.text)[1]
    assert part.headers["location"] == f"{log}?done=part&since={since}"
    assert (await press(office, log, here + "/replay", since=since)).headers[
        "location"
    ] == f"{log}?done=replayed"


async def test_a_disabled_endpoint_gets_nothing(office, api, receiving_endpoint, deliver):
    here = receiving_endpoint
    await register(api, "carol")
    await deliver()
    log = await office.get(here + "/deliveries")
    delivery = re.search(r'href="(/admin/webhook-deliveries/[^"]+)"', log.text)[1]
    await press(office, here, here + "/disable")

    for page, action, fields in (
        (here, here + "/test", {}),
        (here + "/deliveries", here + "/replay", {"since": "2020-01-01T00:00"}),
        (delivery, delivery + "/replay", {}),
    ):
        refused = await press(office, page, action, **fields)
        assert refused.status_code == 409
        assert "The endpoint is disabled. Enable it first." in refused.text


async def test_the_log_is_downloaded_and_recorded(office, receiving_endpoint, deliver, rows):
    await press(office, receiving_endpoint, receiving_endpoint + "/test")
    await deliver()

    file = (await office.get(receiving_endpoint + "/deliveries.csv")).content.decode("utf-8-sig")

    head, line = file.splitlines()
    assert head.startswith('"Event","Status","Answer","Attempts"')
    assert line.startswith('"webhook.test","succeeded","200","1"')
    [(details,)] = await rows("SELECT details FROM audit_events WHERE action = 'list.exported'")
    assert details == '{"list":"webhook_deliveries"}'
    assert (await office.get(f"{LIST}/{NOWHERE}/deliveries.csv")).status_code == 404
