"""Nodes whose clocks differ: all go by the clock of the database."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from goodword.clock import utc_now
from goodword.db.database_clock import DatabaseClock
from goodword.jobs import service
from goodword.jobs.worker import Worker
from people import Person

pytestmark = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True, scope="session")


@asynccontextmanager
async def node(database_url, seconds):
    """Yield a node on a machine whose clock is ahead by so many seconds."""
    clock = DatabaseClock(lambda: utc_now() + timedelta(seconds=seconds))
    async with running(create_app(settings_for(database_url), clock=clock)) as app:
        yield app


async def refresh(client, token):
    return await client.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": token})


@pytest.mark.parametrize("seconds", [-90, -30, 30, 90])
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_refresh_that_is_repeated_on_another_node_keeps_the_session(
    alice, database_url, seconds, is_first
):
    async with node(database_url, seconds) as app, client_of(app) as there:
        clients = (there, alice.api) if is_first else (alice.api, there)
        answers = [await refresh(client, alice.tokens["refresh_token"]) for client in clients]

        assert [answer.status_code for answer in answers] == [200, 200]
        for client in clients:
            for answer in answers:
                person = Person(client, "alice", alice.email, alice.user, answer.json())
                assert (await person.get("/api/v1/me")).status_code == 200


@pytest.mark.parametrize("seconds", [-90, 90])
async def test_a_job_is_not_leased_again_by_a_worker_with_another_clock(app, clock, database_url, seconds):
    began, end = asyncio.Event(), asyncio.Event()

    async def send(services, job):
        began.set()
        await end.wait()

    async with node(database_url, seconds) as other:
        first, second = (app, other) if seconds > 0 else (other, app)
        async with app.state.services.database.transaction() as session:
            service.enqueue(session, "send", {}, now=clock())
        running_job = asyncio.create_task(Worker(first.state.services, {"send": send}).run_due())
        await asyncio.wait_for(began.wait(), 60)
        again = await Worker(second.state.services, {"send": send}).run_due()
        end.set()

        assert again == 0
        assert await running_job == 1


@pytest.mark.parametrize(("seconds", "state"), [(0, "ok"), (30, "degraded"), (-30, "degraded")])
async def test_readyz_and_the_log_say_that_the_clock_differs(app, database_url, capsys, seconds, state):
    async with node(database_url, seconds) as there, client_of(there) as client:
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, state)
    assert ready.json()["checks"]["clock"] == state
    assert ("the clock of this machine" in capsys.readouterr().out) == (state != "ok")
