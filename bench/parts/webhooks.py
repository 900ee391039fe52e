"""Webhooks: deliveries by one worker, and the delay from a commit to the arrival."""

import asyncio
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx2

import seed
import serving
from goodword.actor import Actor, ActorContext, acting_as
from goodword.composition import opened
from goodword.config.settings import Settings
from goodword.webhooks import service as endpoints
from goodword.webhooks.kinds import WebhookKind
from goodword.webhooks.schemas import WebhookEndpointCreate
from parts.participants import MANY, api_key
from row import Figure, Goal, Measure, Result, Row
from stack import CHEAP, Server, Stack, running

TOGETHER, WAITING, ENDPOINTS = 16, 5_000, 10
INTERVAL = 0.05
"""Seconds between the reports of two people, whose events are sent."""
SETTINGS = CHEAP | MANY | {"LOOPBACK_WEBHOOKS": "on"}
CPU = Figure("CPU of limit", lambda found: found.cpu, Goal(1.0, 0.6, more=False), of_limit=True)
DELAY = Figure("p99", lambda found: found.p99, Goal(1500, 250, " ms", more=False))


class Receiver(NamedTuple):
    url: str
    log: Path


@contextmanager
def webhooks(stack: Stack) -> Iterator[list[Row]]:
    """Measure a worker with many deliveries to one endpoint and to ten, and the delay of single ones."""
    with ExitStack() as parts:
        receiver = parts.enter_context(_receiver(stack.folder))
        rows = []
        for count in (1, ENDPOINTS):
            settings = SETTINGS | stack.copy(f"webhooks_{count}")
            _create(stack, settings, receiver, count)
            worker = parts.enter_context(stack.worker(settings))
            name = f"webhook to {'one endpoint' if count == 1 else f'{count} endpoints'}"
            sending = _sending(worker, seed.dsn(settings["DATABASE_URL"]), stack.postgres.pid)
            rows.append(Row(name, sending, [CPU], _posting(receiver), f"httpx2, {TOGETHER} at a time"))
        settings = SETTINGS | stack.copy("webhooks_delay")
        _create(stack, settings, receiver, 1)
        service = parts.enter_context(stack.service(settings))
        parts.enter_context(running(parts.enter_context(stack.worker(settings))))
        key = api_key(stack, settings, ["participants:write"])
        rows.append(Row("webhook after a commit, PostgreSQL", _waiting(service, key, receiver), [DELAY]))
        settings = SETTINGS | {"DATABASE_URL": f"sqlite+aiosqlite:///{stack.folder / 'webhooks.sqlite3'}"}
        stack.migrate(settings)
        _create(stack, settings, receiver, 1)
        service = parts.enter_context(stack.service(settings, workers=1))
        key = api_key(stack, settings, ["participants:write"])
        rows.append(Row("webhook after a commit, SQLite", _waiting(service, key, receiver), [DELAY]))
        yield rows


@contextmanager
def _receiver(folder: Path) -> Iterator[Receiver]:
    port, log = serving.free_port(), folder / "received"
    program = str(Path(__file__).parents[1] / "webhook_receiver.py")
    process = subprocess.Popen([sys.executable, program, str(port), str(log)])
    try:
        serving.wait_for_port(port)
        yield Receiver(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait()


def _create(stack: Stack, settings: dict[str, str], receiver: Receiver, count: int) -> None:
    """Create endpoints."""
    values = {name.lower(): value for name, value in stack.settings(settings).items()}
    given = Settings.model_validate({name: values[name] for name in _NEEDED})
    kinds = [WebhookKind.USER_CREATED.value]

    async def create() -> None:
        async with opened(given) as services:
            with acting_as(ActorContext(Actor.SYSTEM, clock=services.clock)):
                async with services.database.transaction() as session:
                    for number in range(count):
                        body = WebhookEndpointCreate.model_validate(
                            {"url": f"{receiver.url}/{number}", "kinds": kinds}
                        )
                        await endpoints.create(session, services, body, within=None, now=services.clock())

    asyncio.run(create())


def _sending(worker: subprocess.Popen[bytes], url: str, database: int) -> Measure:
    def measure(seconds: float) -> Result:
        before = asyncio.run(_prepare(url))
        with running(worker), Server("", worker.pid, database).counted_cpu() as used:
            time.sleep(seconds)
        done = max(1, asyncio.run(_count(url)) - before)
        return Result(
            done / seconds,
            service_cpu=used["service"] / done * 1e6,
            database_cpu=used["database"] / done * 1e6,
        )

    return measure


def _posting(receiver: Receiver) -> Measure:
    """Return what measures the same requests, signed once, without a database."""

    async def post(seconds: float) -> int:
        count, until = 0, time.monotonic() + seconds
        async with httpx2.AsyncClient(trust_env=False) as client:
            while time.monotonic() < until:
                posts = [client.post(receiver.url, content=b"x" * 300) for _ in range(TOGETHER)]
                count += len(await asyncio.gather(*posts))
        return count

    def measure(seconds: float) -> Result:
        before = time.process_time()
        count = asyncio.run(post(seconds))
        return Result(count / seconds, service_cpu=(time.process_time() - before) / count * 1e6)

    return measure


def _waiting(service: Server, key: str, receiver: Receiver) -> Measure:
    """Return what reports people, one after the other, and compares the end of each answer with the arrival."""
    numbers = itertools.count()

    def measure(seconds: float) -> Result:
        sent: dict[str, float] = {}
        until = time.monotonic() + seconds
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=service.url, headers=headers, trust_env=False, timeout=30) as api:
            while time.monotonic() < until:
                name = f"{service.pid}-{next(numbers)}"
                api.put(f"/api/v1/participants/{name}", json={}).raise_for_status()
                sent[name] = time.monotonic()
                time.sleep(INTERVAL)
        arrived: dict[str, float] = {}
        while not sent.keys() <= arrived.keys():
            time.sleep(0.1)
            lines = map(str.split, receiver.log.read_text().splitlines())
            arrived = {name: float(at) for name, at in lines}
        delays = [max(0.0, arrived[name] - at) * 1000 for name, at in sent.items()]
        p99 = statistics.quantiles(delays, n=100, method="inclusive")[-1]
        return Result(len(sent) / seconds, statistics.median(delays), p99, max(delays))

    return measure


async def _prepare(url: str) -> int:
    """Add deliveries until enough wait, with a job for each endpoint. Return how many have been made."""
    connection = await asyncpg.connect(url)
    await connection.execute(_ADD)
    await connection.execute("VACUUM (ANALYZE) webhook_events, webhook_deliveries")
    await connection.close()
    return await _count(url)


async def _count(url: str) -> int:
    connection = await asyncpg.connect(url)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM webhook_deliveries WHERE status = 'succeeded'"
    )
    await connection.close()
    return count


_NEEDED = ("database_url", "secret_key", "loopback_webhooks", "environment")
_ADD = f"""
    WITH made AS (
        INSERT INTO webhook_events (id, created_at, kind, object_id, sequence, data)
        SELECT gen_random_uuid(), now(), 'user.created', gen_random_uuid(), 1,
               '{{"user":{{"id":"' || gen_random_uuid() || '"}}}}'
        FROM generate_series(1, ({WAITING} - (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'))
            / (SELECT count(*) FROM webhook_endpoints))
        RETURNING id
    ), delivered AS (
        INSERT INTO webhook_deliveries
            (id, created_at, event_id, endpoint_id, kind, status, attempt, next_attempt_at)
        SELECT gen_random_uuid(), now(), made.id, endpoint.id, 'user.created', 'pending', 0, now()
        FROM made, webhook_endpoints endpoint
    )
    INSERT INTO jobs (id, created_at, kind, payload, run_at, attempts)
    SELECT gen_random_uuid(), now(), 'send_webhooks', '{{"endpoint":"' || id || '"}}', now(), 0
    FROM webhook_endpoints
"""
