"""Create, activate and delete the codes of one owner after the other from many clients, and kill parts meanwhile."""

import asyncio
import json
import random
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import asyncpg
import fleet
from load import PASSWORD

from measured import Measured, scaled

OPERATIONS, KILLS, OWNERS = 100_000, 20, 40
CLIENTS, AT_ONCE = 16, 2
"""The clients share so many owners at a time: the operations on one wait for each other, those on two use both cores."""
LIMIT_SECONDS = 1200
"""On a busy machine. The result says how many operations there were."""
TWICE = """
    SELECT count(*) FROM (SELECT FROM referral_codes WHERE activated_at IS NOT NULL AND retired_at IS NULL
    GROUP BY owner_id HAVING count(*) > 1) AS owners
"""


class Caller:
    """A client with a connection to one node, which it opens again after an error."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Return status and body. The status is 0 without a response."""
        content = json.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        try:
            self._connection.request(method, path, content, headers)
            response = self._connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        except (OSError, HTTPException):
            self._connection.close()
            time.sleep(0.1)
            return 0, None


class Contention:
    """Clients that work on the codes of the same owner at the same time."""

    def __init__(self, ports: list[int], operations: int) -> None:
        self.ports, self.operations, self.done, self.changed, self.failed = ports, operations, 0, 0, 0
        self.until = time.monotonic() + LIMIT_SECONDS
        self.tokens: list[str] = []
        self.spare: list[list[str]] = [[] for _ in range(OWNERS)]
        """Codes that are not active."""

    def register(self) -> None:
        caller = Caller(self.ports[0])
        for number in range(OWNERS):
            who = {"email": email(number), "password": PASSWORD}
            while caller.ask("POST", "/api/v1/users", who)[0] not in (201, 409):
                time.sleep(1)
            while (found := caller.ask("POST", "/api/v1/sessions", who))[0] != 201:
                time.sleep(1)
            self.tokens.append(found[1]["access_token"])

    def work(self, client: int) -> None:
        caller = Caller(self.ports[client // AT_ONCE % 2])
        while self.done < self.operations and time.monotonic() < self.until:
            turn = self.done * OWNERS // self.operations // AT_ONCE
            status = self.operate(caller, turn * AT_ONCE + client % AT_ONCE)
            if 0 < status < 500:
                self.done += 1
                self.changed += status < 300
            else:
                self.failed += 1

    def operate(self, caller: Caller, owner: int) -> int:
        """Create, activate, replace or delete a code of the owner. Return the status."""
        token, spare, path = self.tokens[owner], self.spare[owner], "/api/v1/me/referral-codes"
        what = random.random()
        if what < 0.3 or not spare:
            is_active = what < 0.15
            status, code = caller.ask("POST", path, {"lifetime": 3600, "active": is_active}, token)
            if status == 201 and not is_active:
                spare.append(code["code"])
            return status
        code = spare[-1] if what < 0.6 else random.choice(spare)
        if what < 0.9:
            status, _ = caller.ask("POST", f"{path}/{code}/activate", {"replace": what < 0.8}, token)
        else:
            status, _ = caller.ask("DELETE", f"{path}/{code}", None, token)
        if status in (204, 404, 409):  # it is gone, or another client has deactivated it
            with suppress(ValueError):
                spare.remove(code)
        return status


def email(number: int) -> str:
    return f"owner{number}@example.com"


def measure(folder: Path, share: float) -> Measured:
    """Kill a node three times, then the database, and so on, while the clients work."""
    operations, kills = scaled(OPERATIONS, share), scaled(KILLS, share)
    with fleet.running(folder, is_direct=True, ACCESS_TOKEN_LIFETIME="3600") as parts:
        contention = Contention(parts.node_ports, operations)
        contention.register()
        threads = [threading.Thread(target=contention.work, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        seen = list[int]()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            if len(seen) == kills or contention.done < (len(seen) + 1) * operations // (kills + 1):
                continue
            number = len(seen)
            part = parts.postgres if number % 4 == 3 else parts.nodes[number % 2]
            part.kill()
            part.start()
            seen.append(asyncio.run(_count(parts.database_url)))
        seen.append(asyncio.run(_count(parts.database_url)))
        different = _differences(parts.port, asyncio.run(_active(parts.database_url)))
    text = (
        f"{contention.done:,} operations ({contention.changed:,} made a change), {len(seen) - 1} kills,"
        f" {contention.failed:,} more without a result: {max(seen)} owners with two active codes in {len(seen)} looks,"
        f" {different} of {OWNERS} look-ups differ from the database at the end"
    )
    return Measured(text, contention.done >= operations and max(seen) == different == 0)


async def _count(url: str) -> int:
    connection = await _connect(url)
    try:
        return int(await connection.fetchval(TWICE))
    finally:
        await connection.close()


async def _active(url: str) -> dict[str, str]:
    """Return the active code by the address of its owner."""
    connection = await _connect(url)
    try:
        rows = await connection.fetch(
            "SELECT email, code FROM referral_codes JOIN users ON users.id = owner_id"
            " WHERE activated_at IS NOT NULL AND retired_at IS NULL"
        )
        return {row["email"]: row["code"] for row in rows}
    finally:
        await connection.close()


async def _connect(url: str) -> asyncpg.Connection:
    """Wait for a server that starts."""
    while True:
        try:
            return await asyncpg.connect(url.replace("+asyncpg", ""))
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.5)


def _differences(port: int, active: dict[str, str]) -> int:
    caller, different = Caller(port), 0
    for address in map(email, range(OWNERS)):
        status, found = caller.ask("GET", f"/api/v1/referral-codes/by-email?email={address}")
        different += (found["code"] if status == 200 else None) != active.get(address)
    return different
