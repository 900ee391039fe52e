"""Create, activate and delete the codes of one owner after the other from many clients, and kill parts meanwhile."""

import asyncio
import json
import random
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import asyncpg
import fleet
from load import PASSWORD

OPERATIONS, OWNERS, CLIENTS = 100_000, 100, 8
KILL_SECONDS = 10
"""Between two kills: three of a node, then one of the database."""
TWICE = """
    SELECT count(*) FROM (SELECT FROM referral_codes WHERE activated_at IS NOT NULL AND retired_at IS NULL
    GROUP BY owner_id HAVING count(*) > 1) AS owners
"""


class Contention:
    """Clients that work on the codes of the same owner at the same time."""

    def __init__(self, port: int) -> None:
        self.port, self.done, self.lost = port, 0, 0
        self.owners: list[dict[str, str]] = []
        self.emails: list[str] = []
        self.spare: list[list[str]] = [[] for _ in range(OWNERS)]
        """Codes that are not active."""

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and body. The status is 0 without a response."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = json.dumps(body) if body is not None else None
        try:
            connection.request(method, path, content, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        except (OSError, HTTPException):
            return 0, None
        finally:
            connection.close()

    def register(self) -> None:
        for number in range(OWNERS):
            who = {"email": f"owner{number}@example.com", "password": PASSWORD}
            assert self.ask("POST", "/api/v1/users", who)[0] == 201
            status, tokens = self.ask("POST", "/api/v1/sessions", who)
            assert status == 201
            self.owners.append({"Authorization": f"Bearer {tokens['access_token']}"})
            self.emails.append(who["email"])

    def work(self) -> None:
        path = "/api/v1/me/referral-codes"
        while self.done < OPERATIONS:
            number = self.done * OWNERS // OPERATIONS
            owner, spare = self.owners[number], self.spare[number]
            what = random.random()
            if what < 0.2 or not spare:
                status, code = self.ask("POST", path, {"lifetime": 3600, "active": False}, owner)
                if status == 201:
                    spare.append(code["code"])
            elif what < 0.4:
                status, _ = self.ask("POST", path, {"lifetime": 3600, "active": True}, owner)
            elif what < 0.9:
                code = spare[-1] if what < 0.6 else random.choice(spare)
                status, _ = self.ask("POST", f"{path}/{code}/activate", {"replace": what < 0.8}, owner)
            else:
                status, _ = self.ask("DELETE", f"{path}/{random.choice(spare)}", None, owner)
            self.done += 1
            self.lost += status == 0 or status >= 500


def measure(folder: Path) -> str:
    with fleet.running(folder, ACCESS_TOKEN_LIFETIME="3600") as parts:
        contention, kills = Contention(parts.port), 0
        contention.register()
        threads = [threading.Thread(target=contention.work, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        seen = []
        while any(thread.is_alive() for thread in threads):
            time.sleep(KILL_SECONDS)
            kills += 1
            part = parts.postgres if kills % 4 == 0 else parts.nodes[kills % 2]
            part.kill()
            part.start()
            time.sleep(3)
            seen.append(asyncio.run(_count(parts.database_url)))
        different = _differences(contention, asyncio.run(_active(parts.database_url)))
    return (
        f"{contention.done:,} operations, {kills} kills, {contention.lost:,} without a result: {max(seen)} owners with"
        f" two active codes in {len(seen)} looks, {different} of {OWNERS} look-ups differ from the database at the end"
    )


async def _count(url: str) -> int:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval(TWICE))
    finally:
        await connection.close()


async def _active(url: str) -> dict[str, str]:
    """Return the active code by the address of its owner."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        rows = await connection.fetch(
            "SELECT email, code FROM referral_codes JOIN users ON users.id = owner_id"
            " WHERE activated_at IS NOT NULL AND retired_at IS NULL"
        )
        return {row["email"]: row["code"] for row in rows}
    finally:
        await connection.close()


def _differences(contention: Contention, active: dict[str, str]) -> int:
    different = 0
    for email in contention.emails:
        status, found = contention.ask("GET", f"/api/v1/referral-codes/by-email?email={email}")
        different += (found["code"] if status == 200 else None) != active.get(email)
    return different
