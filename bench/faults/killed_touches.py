"""Record 5,000 touches a second, on SQLite and on PostgreSQL, while the process is killed again and again.

With arguments, it is the process that records: the URL of a database, and the id of a code.
"""

import asyncio
import random
import signal
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr
from sqlalchemy import func, insert, select
from uuid_utils.compat import uuid7

import servers
from goodword import migrations
from goodword.clock import utc_now
from goodword.codes.models import ReferralCode
from goodword.composition import build_services
from goodword.config.settings import Settings
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.services import Services
from goodword.touches.models import Touch, TouchKind
from goodword.users.models import User
from measured import Measured, scaled
from stack import POSTGRES

PER_SECOND, TICK, KILLS = 5_000, 0.01, 20
SHORTEST, LONGEST = 2.0, 5.0
"""Seconds after which the process is killed."""
MAX_LOST = 1.0


class Kill(NamedTuple):
    recorded: int
    seconds: float
    lost: int
    lost_seconds: float
    """The age of the oldest touch that was lost, when the process was killed."""


def _services(url: str) -> Services:
    return build_services(Settings(database_url=SecretStr(url), secret_key=SecretStr("f" * 40)))


async def _record(url: str, code_id: uuid.UUID) -> None:
    """Record touches for ever, and print how many there are after each tick."""
    services = _services(url)
    writing = asyncio.create_task(services.touches.keep_writing())
    began, count = time.monotonic(), 0
    while not writing.done():
        due = int((time.monotonic() - began) * PER_SECOND)
        for number in range(count, due):
            services.touches.record(
                code_id=code_id,
                program_id=DEFAULT_PROGRAM_ID,
                kind=TouchKind.CLICK,
                network=number.to_bytes(4),
                user_agent=f"Mozilla/5.0 {number % 100}",
                host="news.example",
                now=services.clock(),
            )
        count = due
        sys.stdout.write(f"{count} {time.monotonic()}\n")
        sys.stdout.flush()
        await asyncio.sleep(TICK)


async def _make_code(services: Services) -> uuid.UUID:
    user_id, code_id, now = uuid7(), uuid7(), utc_now()
    async with services.database.transaction() as session:
        values = {"id": user_id, "created_at": now, "status": "active"}
        values |= dict.fromkeys(("email", "email_key", "email_canonical"), "a@example.com")
        await session.execute(insert(User), values)
        values = {"id": code_id, "created_at": now, "owner_id": user_id, "code": "ALICE", "key": "A11CE"}
        values |= {"key_mac": bytes(32), "kind": "chosen", "expires_at": now + timedelta(days=1)}
        await session.execute(insert(ReferralCode), values)
    return code_id


async def _count(services: Services) -> int:
    row = await services.database.row(select(func.count(Touch.id).label("touches")))
    return int(row.touches) if row else 0


async def _kill(services: Services, url: str, code_id: uuid.UUID, seconds: float) -> Kill:
    """Let a process record for so long, kill it, and compare what it said with what is there."""
    before = await _count(services)
    command = [sys.executable, __file__, url, str(code_id)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert process.stdout
    first = process.stdout.readline()
    assert first, "the process did not start"
    timer = asyncio.get_running_loop().call_later(seconds, process.send_signal, signal.SIGKILL)
    lines = (await asyncio.to_thread(process.stdout.read)).splitlines()
    timer.cancel()
    process.wait()
    ticks = [(int(count), float(at)) for count, at in map(str.split, lines if lines[-1:] else [first])]
    recorded, ended = ticks[-1]
    await asyncio.sleep(1)  # PostgreSQL may still end the last transaction
    written = await _count(services) - before
    missing = [at for count, at in ticks if count > written]
    took = ended - float(first.split()[1])
    return Kill(recorded, took, max(0, recorded - written), ended - missing[0] if missing else 0.0)


async def _kills(url: str, kills: int) -> list[Kill]:
    await migrations.upgrade(url)
    services = _services(url)
    code_id = await _make_code(services)
    choose = random.Random(1).uniform
    found = [await _kill(services, url, code_id, choose(SHORTEST, LONGEST)) for _ in range(kills)]
    await services.database.close()
    return found


def _said(name: str, found: list[Kill]) -> str:
    rate = sum(kill.recorded for kill in found) / sum(kill.seconds for kill in found)
    lost, seconds = max(kill.lost for kill in found), max(kill.lost_seconds for kill in found)
    return f"{name}: {rate:,.0f} a second, at most {lost:,} lost, of {seconds:.2f} s"


def measure(folder: Path, share: float) -> Measured:
    kills = scaled(KILLS, share)
    on_sqlite = asyncio.run(_kills(f"sqlite+aiosqlite:///{folder / 'touches.sqlite3'}", kills))
    with servers.postgres_server(*POSTGRES) as server:
        on_postgres = asyncio.run(_kills(server.url, kills))
    said = f"{kills} kills each; {_said('SQLite', on_sqlite)}; {_said('PostgreSQL', on_postgres)}"
    return Measured(said, all(kill.lost_seconds <= MAX_LOST for kill in on_sqlite + on_postgres))


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1], uuid.UUID(sys.argv[2])))
