"""The rate limit and the circuit breaker of a provider, which all nodes share."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from asgi import run_due_jobs
from concurrency import at_once
from goodword.providers import email_checks
from people import join, register
from providers.conftest import work
from providers.fake_providers import status
from second_service import StoppedClock

VERIFIER = "/v2/email-verifier"
OPEN = "SELECT failures, open_until IS NOT NULL FROM provider_states WHERE name = 'hunter verifier'"


async def test_two_nodes_share_the_rate_limit(node, services, monkeypatch):
    """Five at once, and one each quarter of a second: as time only passes here, no more on a busy machine."""
    monkeypatch.setattr(email_checks, "SIGNUP_TIMEOUT", 8.0)  # a busy machine is slower than 1.5 s
    stopped = StoppedClock(datetime.now(UTC))
    nodes = [await node(email_check="blocking", clock=stopped) for _ in range(2)]
    answers = await at_once(lambda n: register(nodes[n % 2][1], f"person{n}"), range(20))
    assert {answer.status_code for answer in answers} == {201}, "who finds no place is let in"
    assert services.count() == 5

    for step in range(1, 13):  # the jobs of the others, on both nodes at once
        stopped.now += timedelta(seconds=0.25)
        await asyncio.gather(*(run_due_jobs(app) for app, _ in nodes))
        assert services.count() <= 5 + step

    assert services.count() > 8, "it went on"
    assert len({email for _, _, email in services.asked}) == services.count(), "nobody twice"


@pytest.mark.one_database
async def test_every_address_is_checked_eventually(node, services, clock, rows):
    app, api = await node()
    for n in range(25):
        await register(api, f"person{n}")
    await work(app, clock, rounds=40, seconds=30)

    assert services.count() == 25
    assert await rows("SELECT DISTINCT status FROM email_checks") == [("valid",)]


async def test_five_failures_open_the_breaker_for_all_and_a_success_closes_it(node, services, clock, rows):
    (_, one), (_, other) = await node(email_check="blocking"), await node(email_check="blocking")
    services.answers[VERIFIER] = status(500)
    for n in range(5):
        await register(one, f"person{n}")
        clock.forward(seconds=1)
    assert await rows(OPEN) == [(5, True)]

    services.answers.clear()
    services.verdict = "invalid"
    assert (await register(other, "alice")).status_code == 201
    assert services.count() == 5, "nobody is asked now, on no node"

    clock.forward(seconds=31)
    assert (await register(other, "bob")).status_code == 422
    assert await rows(OPEN) == [(0, False)]
    assert services.count() == 6


async def test_a_half_open_breaker_lets_one_request_pass(node, services, clock, rows):
    _, api = await node(email_check="blocking")
    services.answers[VERIFIER] = status(500)
    for n in range(5):
        await register(api, f"person{n}")
        clock.forward(seconds=1)
    clock.forward(seconds=31)
    services.delay = 0.2

    await asyncio.gather(*(register(api, f"friend{n}") for n in range(4)))
    assert services.count() == 6
    assert await rows(OPEN) == [(6, True)]


async def test_a_refused_key_opens_the_breaker_and_is_logged(node, services, clock, rows, capfd):
    _, api = await node(email_check="blocking")
    services.answers[VERIFIER] = status(401)
    for n in range(3):
        assert (await register(api, f"person{n}")).status_code == 201
    assert services.count() == 1
    assert await rows(OPEN) == [(1, True)]
    logged = "".join(capfd.readouterr())
    assert "provider paused" in logged
    assert "key refused" in logged

    services.answers.clear()
    clock.forward(minutes=61)
    await register(api, "alice")
    assert services.count() == 2
    assert await rows(OPEN) == [(0, False)]


@pytest.mark.one_database
@pytest.mark.parametrize("code", [402, 403, 429])
async def test_throttling_opens_the_breaker_for_growing_pauses(node, services, clock, rows, code):
    app, api = await node()
    services.answers[VERIFIER] = status(code)
    await register(api, "alice")
    await work(app, clock, rounds=60, seconds=30)  # half an hour

    assert 3 <= services.count() <= 6, "after 1, 2, 4, 8 … minutes"
    services.answers.clear()
    await work(app, clock, rounds=4, hours=1)
    assert await rows("SELECT status FROM email_checks") == [("valid",)]


@pytest.mark.one_database
@pytest.mark.parametrize("code", [202, 222, 400, 404, 422, 451])
async def test_an_answer_about_one_address_is_not_a_failure(node, services, clock, rows, code):
    _, api = await node(email_check="blocking")
    services.answers[VERIFIER] = status(code)
    for n in range(6):
        await register(api, f"person{n}")
        clock.forward(seconds=1)
    assert services.count() == 6
    assert await rows(OPEN) == [(0, False)]


@pytest.mark.one_database
async def test_a_check_does_not_wait_while_the_breaker_is_open(node, services, clock):
    _, api = await node()
    ann = await join(api, "ann")
    services.answers[VERIFIER] = status(401)
    await ann.get("/api/v1/email-checks", params={"email": "zoe@example.com"})
    began = time.monotonic()
    answer = await ann.get("/api/v1/email-checks", params={"email": "zoe@example.com"})

    assert (answer.json()["verdict"], answer.json()["provider"]) == ("unknown", "hunter")
    assert time.monotonic() - began < 1
