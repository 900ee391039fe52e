"""Touches are kept in memory for a moment, written together, and found by every process."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from asgi import settings_for
from database_away import database, reachable  # noqa: F401  the fixture
from goodword.codes.models import ReferralCode
from goodword.composition import build_services, close_services
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.touches import service
from goodword.touches.models import TouchKind
from people import make_code
from second_service import second_service

COUNT = "SELECT count(*) FROM touches"


@pytest.fixture
async def code_id(app, alice):
    await make_code(alice)
    async with app.state.services.database.readers() as session:
        return await session.scalar(select(ReferralCode.id))


def click(services, code_id, **values):
    given = {"kind": TouchKind.CLICK, "program_id": DEFAULT_PROGRAM_ID, "now": services.clock(), **values}
    return services.touches.record(code_id=code_id, **given)


def lost(services, reason):
    return services.metrics.totals().get(("goodword_touches_lost", reason), [0.0])[0]


async def until(holds, seconds=10):
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_touch_is_written_within_a_second(app, code_id, rows):
    touch_id = click(app.state.services, code_id, network=b"1234", user_agent="Firefox", host="news.example")

    assert await rows(COUNT) == [(0,)]

    async def is_written():
        return await rows(COUNT) == [(1,)]

    await until(is_written, seconds=1)
    found = await app.state.services.touches.find(touch_id)
    assert (found.code_id, found.kind, found.host) == (code_id, "click", "news.example")
    assert len(found.network_mac) == len(found.device_mac) == 32
    assert found.network_mac != found.device_mac


async def test_equal_networks_have_equal_hashes(app, code_id):
    services = app.state.services
    ids = [
        click(services, code_id, network=network, user_agent="x") for network in (b"abcd", b"abcd", b"efgh")
    ]

    one, same, other = [await services.touches.find(touch_id) for touch_id in ids]

    assert one.network_mac == same.network_mac != other.network_mac
    assert one.device_mac == other.device_mac


async def test_many_are_written_before_their_time(app, code_id, rows, monkeypatch):
    monkeypatch.setattr(service, "WRITE_SECONDS", 60.0)
    for _ in range(service.BATCH_SIZE):
        click(app.state.services, code_id)

    async def are_written():
        return await rows(COUNT) == [(service.BATCH_SIZE,)]

    await until(are_written)


async def test_a_touch_that_waits_is_found_and_written(app, code_id, rows):
    services = app.state.services
    touch_id = click(services, code_id)

    found = await services.touches.find(touch_id)

    assert found.id == touch_id
    assert await rows("SELECT count(*) FROM touches") == [(1,)]


async def test_a_touch_of_another_process_is_found(app, code_id, database_url):
    async with second_service(database_url) as there:
        touch_id = click(there.app.state.services, code_id)
        found = await app.state.services.touches.find(touch_id)
        assert found is not None
        assert found.id == touch_id


@pytest.mark.one_database
@pytest.mark.parametrize(
    "touch_id",
    [UUID("0b8f2c56-6c1e-4a0e-9d5e-0d3c5f8f7a11"), UUID(int=0), UUID("01900000-0000-7000-8000-000000000000")],
)
async def test_an_old_or_forged_id_is_not_waited_for(app, api, monkeypatch, touch_id):
    monkeypatch.setattr(asyncio, "sleep", None)

    assert await app.state.services.touches.find(touch_id) is None


@pytest.mark.one_database
async def test_a_new_id_that_nobody_writes_is_not_found(app, api):
    assert await app.state.services.touches.find(uuid7()) is None


async def test_a_stop_writes_what_waits(app, code_id, database_url, rows):
    async with second_service(database_url) as there:
        click(there.app.state.services, code_id)

    assert await rows(COUNT) == [(1,)]


async def test_the_database_may_refuse_one_of_many(app, code_id, rows):
    services = app.state.services
    refused = lost(services, "refused")
    ids = [click(services, one) for one in (code_id, uuid4(), code_id, code_id)]

    await services.touches.flush()

    assert await rows(COUNT) == [(3,)]
    assert lost(services, "refused") == refused + 1
    assert await services.touches.find(ids[3]) is not None


async def test_touches_wait_while_the_database_is_away(database, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.setattr(service, "MAX_WAITING", 5)
    here, there = database
    services = build_services(settings_for(there, data_dir=tmp_path))
    unknown = uuid4()
    for _ in range(8):
        click(services, unknown)
    assert lost(services, "dropped") == 3
    with pytest.raises(OSError, match="Connect call failed"):
        await services.touches.flush()

    async with reachable(here, there):
        await services.touches.flush()  # the five that are left come to the database, which has no such code
        assert lost(services, "refused") == 5
        click(services, unknown)
    await close_services(services)  # it does not raise
