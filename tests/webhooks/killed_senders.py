"""Two workers send webhooks while workers are killed again and again: the tests and `make fault-figures` use it."""

import asyncio
import os
import signal
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from asgi import SECRET
from goodword.composition import build_services, close_services
from goodword.config.settings import Settings
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import CodeChanged
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.services import Services
from goodword.webhooks import service as webhooks
from goodword.webhooks.kinds import WebhookKind
from goodword.webhooks.schemas import WebhookEndpointCreate
from people import as_a_request
from preloaded import Process
from webhooks.receivers import Received, Receiver, receiving

ENDPOINTS, HISTORY, TOGETHER = 2, 5, 20
"""Endpoints that get each event, events of one object, and objects whose events one transaction writes."""
KINDS = [WebhookKind.CODE_CREATED, WebhookKind.CODE_RETIRED]
WORKER = """
import asyncio, sys
from dataclasses import replace
from datetime import timedelta
from goodword.composition import build_services
from goodword.config.settings import Settings
from goodword.db import engines
from goodword.jobs import service
from goodword.jobs.worker import Worker
from goodword.outbound.guarded_client import GuardedClient
from goodword.webhooks import delivery

# The power stays on. A job that is killed ten times leaves its endpoint to the recurring job.
engines.SQLITE_PRAGMAS += ("synchronous = OFF",)
service.LEASE, delivery.LEASE, delivery.OVERDUE = (timedelta(seconds=each) for each in (2, 2, 10))
services = build_services(Settings(database_url=sys.argv[1], secret_key=sys.argv[2]))
client = GuardedClient(lambda address: True, resolve=lambda host, port: ["127.0.0.1"])
services = replace(services, webhook_client=client)
worker = Worker(
    services,
    delivery.HANDLERS,
    recurring=delivery.PERIODIC_TASKS,
    group_limits=delivery.GROUP_LIMITS,
    serial_kinds=delivery.SERIAL_KINDS,
)
asyncio.run(worker.run())
"""


class Outcome(NamedTuple):
    """What arrived. Each event is for each of `ENDPOINTS` endpoints."""

    lost: int
    """Deliveries that did not arrive."""
    again: int
    """Requests that repeated a delivery."""
    changed: int
    """Requests with a known id and another body, and objects with other sequences than 1, 2, 3 and so on."""
    unordered: int
    """Objects whose deliveries arrived in another order for the first time than they were written."""
    seconds: float


async def send_all(url: str, folder: Path, *, events: int, kills: int) -> Outcome:
    """Write events while two workers send them and are killed in turn. Return what arrived."""
    services = build_services(Settings(database_url=SecretStr(url), secret_key=SecretStr(SECRET)))
    began = time.monotonic()
    workers = [_start(url, folder) for _ in range(2)]
    try:
        async with receiving() as receiver:
            await _create_endpoints(services, receiver)
            writing = asyncio.create_task(_write(services, events))
            await _kill(workers, receiver, url, folder, expected=events * ENDPOINTS, kills=kills)
            await writing
            await _wait_for_the_end(services)
            succeeded = await _count(services, "succeeded")
            return _compare(receiver.got, events, succeeded, time.monotonic() - began)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        await close_services(services)


def _start(url: str, folder: Path) -> Process:
    environment = dict(os.environ)
    arguments, out, error = ["-c", WORKER, url, SECRET], sys.__stdout__, sys.__stderr__
    assert out, "the process has an output"
    assert error, "the process has an output"
    return Process(arguments, cwd=folder, env=environment, stdout=out, stderr=error)


async def _create_endpoints(services: Services, receiver: Receiver) -> None:
    with as_a_request(services):
        for number in range(ENDPOINTS):
            body = WebhookEndpointCreate.model_validate({"url": f"{receiver.url}/{number}", "kinds": KINDS})
            async with services.database.transaction() as session:
                await webhooks.create(session, services, body, within=None, now=services.clock())


async def _write(services: Services, events: int) -> None:
    """Write the histories of objects, each event of an object in a transaction of its own."""
    for first in range(0, events, TOGETHER * HISTORY):
        count = min(TOGETHER, (events - first) // HISTORY)
        objects = [uuid.uuid4() for _ in range(count)]
        for number in range(HISTORY):
            change, now = "retired" if number else "created", services.clock()
            changed = [
                CodeChanged(code_id, uuid.uuid4(), DEFAULT_PROGRAM_ID, change, now) for code_id in objects
            ]
            while not await _commit(services, changed):  # noqa: ASYNC110  other processes have the lock
                await asyncio.sleep(0.1)


async def _commit(services: Services, events: Sequence[CodeChanged]) -> bool:
    """Return whether the events were written: SQLite can be locked for too long on a busy machine."""
    try:
        async with services.database.transaction() as session:
            for event in events:
                await domain_events.publish(session, services, event)
    except SQLAlchemyError:
        return False
    return True


async def _kill(
    workers: list[Process], receiver: Receiver, url: str, folder: Path, *, expected: int, kills: int
) -> None:
    """Kill the workers in turn, each time that a further part of the requests has arrived."""
    for number in range(kills):
        while len(receiver.got) <= expected * (number + 1) // (kills + 2):  # noqa: ASYNC110  it is read as well as waited for
            await asyncio.sleep(0.005)
        victim = number % 2
        workers[victim].send_signal(signal.SIGKILL)
        workers[victim].wait()
        workers[victim] = _start(url, folder)


async def _wait_for_the_end(services: Services) -> None:
    while (await _count(services, "pending")) > 0:  # noqa: ASYNC110  of other processes
        await asyncio.sleep(0.05)


async def _count(services: Services, status: str) -> int:
    row = await services.database.row(_COUNT, status=status)
    return int(row.deliveries) if row else 0


def _compare(got: Sequence[Received], events: int, succeeded: int, seconds: float) -> Outcome:
    """Compare what arrived with what was written."""
    bodies: dict[tuple[str, str], str] = {}
    histories: dict[tuple[str, str], list[int]] = defaultdict(list)
    changed = 0
    for one in got:
        delivery = (one.path, one.id)
        if delivery not in bodies:
            histories[one.path, one.json["data"]["id"]].append(one.json["sequence"])
        changed += bodies.setdefault(delivery, one.body) != one.body
    complete = list(range(1, HISTORY + 1))
    missing = events * ENDPOINTS - min(succeeded, sum(map(len, histories.values())))
    return Outcome(
        lost=missing,
        again=len(got) - len(bodies),
        changed=changed + sum(sorted(history) != complete for history in histories.values()),
        unordered=sum(history != sorted(history) for history in histories.values()),
        seconds=seconds,
    )


_COUNT = text("SELECT count(*) AS deliveries FROM webhook_deliveries WHERE status = :status")
