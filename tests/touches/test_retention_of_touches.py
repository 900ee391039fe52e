"""Touches lose their hashes after a month, and are deleted when they can no longer count."""

from dataclasses import replace

import pytest

from goodword.jobs import service as jobs
from goodword.jobs.worker import Worker
from goodword.retention import CLEAR_HASHES, HANDLERS, PURGE_TOUCHES
from touches.conftest import make_code_in, make_program

DAYS = 24 * 60 * 60
HASHED = "SELECT count(*) FROM touches WHERE network_mac IS NOT NULL OR device_mac IS NOT NULL"


@pytest.fixture
def purge(app, clock, rows):
    """Return a function that runs the two jobs, and returns how many touches and hashes are left."""

    async def run(**settings):
        services = app.state.services
        services = replace(services, settings=services.settings.model_copy(update=settings))
        await services.touches.flush()
        async with services.database.transaction() as session:
            for kind in (CLEAR_HASHES, PURGE_TOUCHES):
                jobs.enqueue(session, kind, {}, now=clock())
        await Worker(services, HANDLERS).run_due()
        return (await rows("SELECT count(*) FROM touches"))[0][0], (await rows(HASHED))[0][0]

    return run


async def test_hashes_are_kept_for_a_month(browser, code, clock, purge, touches):
    await browser.get(f"/r/{code}", headers={"Referer": "https://news.example/"})
    assert await purge() == (1, 1)

    clock.forward(days=29, hours=23)
    assert await purge() == (1, 1)
    clock.forward(hours=2)
    assert await purge() == (1, 0)
    assert await touches("network_mac, device_mac, host") == [(None, None, "news.example")]


async def test_touches_are_kept_for_the_window_of_their_program_and_a_month(
    app, browser, alice, code, clock, change_program, purge, touches
):
    await change_program(attribution_window=7 * DAYS)
    other = await make_program(app, slug="other", attribution_window=50 * DAYS)
    await make_code_in(app, alice, other, code="OTHER-CODE")
    for one in (code, code, "OTHER-CODE"):
        await browser.get(f"/r/{one}")

    clock.forward(days=36, hours=23)
    assert await purge() == (3, 0)
    clock.forward(hours=2)
    assert await purge() == (1, 0)
    clock.forward(days=42, hours=22)
    assert await purge() == (1, 0)
    clock.forward(hours=2)
    assert await purge() == (0, 0)


@pytest.mark.one_database
async def test_the_operator_chooses_both_times(browser, code, clock, purge):
    await browser.get(f"/r/{code}")
    settings = {"keep_touches": 5, "keep_touch_hashes": 2}

    clock.forward(days=1)
    assert await purge(**settings) == (1, 1)
    clock.forward(days=2)
    assert await purge(**settings) == (1, 0)
    clock.forward(days=33)
    assert await purge(**settings) == (0, 0)


@pytest.mark.one_database
async def test_many_are_done_in_batches(browser, code, clock, purge, monkeypatch):
    monkeypatch.setattr("goodword.retention.BATCH_SIZE", 2)
    for _ in range(5):
        await browser.get(f"/r/{code}")

    clock.forward(days=40)
    assert await purge() == (5, 0)
    clock.forward(days=40)
    assert await purge() == (0, 0)
