"""Compare what the service acknowledged with what its database holds."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from fleet import Fleet
from load import History

import serving

Fetch = Callable[[str], Awaitable[Sequence[Any]]]
"""Returns the rows of a query."""

QUIET_SECONDS = 120
"""For jobs: the lease of a worker that was killed ends after 60."""
REVOCATION_SECONDS = 5
"""How long another node may accept a session that has ended."""
TWICE = {
    "a user twice": "SELECT email_key FROM users GROUP BY 1 HAVING count(*) > 1",
    "two referrers": "SELECT referee_id FROM referrals GROUP BY 1 HAVING count(*) > 1",
    "two active codes": "SELECT owner_id FROM referral_codes WHERE activated_at IS NOT NULL AND retired_at IS NULL"
    " GROUP BY 1 HAVING count(*) > 1",
    "wrong count of uses": "SELECT code FROM referral_codes c WHERE uses <> (SELECT count(*) FROM referrals"
    " WHERE code_id = c.id)",
    "dead job": "SELECT kind FROM jobs WHERE outcome = 'dead'",
    "message enqueued twice": "SELECT user_id FROM jobs WHERE kind = 'send_email' AND user_id IS NOT NULL"
    " GROUP BY user_id, payload HAVING payload <> '{}' AND count(*) > 1",
}


async def violations(fleet: Fleet, history: History) -> list[str]:
    """Return what was lost, what happened twice, and what came back."""
    connection = await asyncpg.connect(fleet.database_url.replace("+asyncpg", ""))
    settings = {**fleet.settings, "DATABASE_URL": fleet.database_url}
    try:
        return await compare(connection.fetch, fleet.port, history, folder=fleet.folder, **settings)
    finally:
        await connection.close()


async def compare(fetch: Fetch, port: int, history: History, *, folder: Path, **settings: str) -> list[str]:
    found = list(history.surprises)
    for name, query in TWICE.items():
        found += [f"{name}: {row[0]}" for row in await fetch(query)]
    query = "SELECT referee_id, code FROM referrals JOIN referral_codes c ON c.id = code_id"
    referrals = {_uuid(row["referee_id"]): row["code"] for row in await fetch(query)}
    users = {_uuid(row["id"]) for row in await fetch("SELECT id FROM users")}
    for user, code in history.users.items():
        if UUID(user) not in users:
            found.append(f"lost user: {user}")
        if code and referrals.get(UUID(user)) != code:
            found.append(f"lost referral: {user}")
    codes = {row["code"]: row for row in await fetch("SELECT code, owner_id, retired_at FROM referral_codes")}
    for code, owner in history.codes.items():
        if code not in codes or _uuid(codes[code]["owner_id"]) != UUID(owner):
            found.append(f"lost code: {code}")
    found += [f"code came back: {code}" for code in history.replaced if codes[code]["retired_at"] is None]
    found += [f"unfinished jobs: {number}" for number in await _unfinished(fetch) if number]
    await asyncio.sleep(REVOCATION_SECONDS)
    found += _sessions_that_came_back(port, history)
    audit = serving.goodword(folder, "audit", "verify", **settings)
    return found + ([f"audit: {audit.stdout} {audit.stderr}"] if audit.returncode else [])


def _uuid(value: UUID | str) -> UUID:
    return UUID(str(value))


def _sessions_that_came_back(port: int, history: History) -> Iterator[str]:
    for access, refresh in history.ended:
        form = urlencode({"grant_type": "refresh_token", "refresh_token": refresh})
        for method, path, body, wanted in (
            ("GET", "/api/v1/me", None, 401),
            ("POST", "/oauth/token", form, 400),
        ):
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"Authorization": f"Bearer {access}"} if body is None else {}
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, body, headers)
            status = connection.getresponse().status
            connection.close()
            if status != wanted:
                yield f"session came back: {method} {path}: {status}"


async def _unfinished(fetch: Fetch) -> list[int]:
    query = "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND run_at < CURRENT_TIMESTAMP"
    number = 0
    for _ in range(2 * QUIET_SECONDS):
        number = (await fetch(query))[0][0]
        if not number:
            break
        await asyncio.sleep(0.5)
    return [number]
