"""The limits: the least that could answer the same, on the server and with the settings that the service has.

    python limits_asgi.py NAME PORT WORKERS

`constant` is ASGI alone, `fixed` a FastAPI route without parameters, and `driver` ASGI with the bare driver:
the service's own queries, and its own JSON. Reads BENCH_BODY (what the first two answer) and BENCH_DATABASE.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import FastAPI, Response
from pydantic_core import to_json

Answer = Callable[[asyncpg.Pool | None, dict[str, Any]], Awaitable[bytes]]


class Bare:
    """An ASGI application with nothing in it but one answer, and connections if it needs them."""

    def __init__(self, answer: Answer, database: str | None = None) -> None:
        self.answer, self.database = answer, database
        self.pool: asyncpg.Pool | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            if self.database:
                self.pool = await asyncpg.create_pool(self.database, min_size=10, max_size=10)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            if self.pool:
                await self.pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = await self.answer(self.pool, scope)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def constant() -> Bare:
    body = os.environ["BENCH_BODY"].encode()

    async def answer(_pool: Any, _scope: Any) -> bytes:
        return body

    return Bare(answer)


def fixed() -> FastAPI:
    app = FastAPI(openapi_url=None)
    body = os.environ["BENCH_BODY"].encode()

    @app.get("/api/v1/referral-codes/{code}")  # noqa: FAST003  the bare route has a use for nothing
    async def answer() -> Response:
        return Response(body, media_type="application/json")

    return app


def driver() -> Bare:
    async def answer(pool: Any, scope: dict[str, Any]) -> bytes:
        path = scope["path"]
        if path.endswith("/referrals"):
            return await _page(pool, UUID(path.split("/")[-2]))
        return await _by_email(pool, unquote(scope["query_string"].decode().removeprefix("email=")))

    return Bare(answer, os.environ["BENCH_DATABASE"])


async def _by_email(pool: asyncpg.Pool, email: str) -> bytes:
    row = await pool.fetchrow(_BY_EMAIL, "active", datetime.now(UTC), email)
    found = {
        "code": row["code"],
        "link": f"http://127.0.0.1:8000/r/{row['code']}",
        "expires_at": row["expires_at"],
        "referrer": {"display_name": f"{row['first_name']} {row['last_name'][0]}."},
    }
    return to_json(found)


async def _page(pool: asyncpg.Pool, referrer: UUID) -> bytes:
    items = [
        {
            "id": row["id"],
            "referee": {
                "display_name": f"{row['first_name']} {row['last_name'][0]}.",
                "email_masked": f"{row['email'][0]}***@{row['email'].rpartition('@')[2]}",
            },
            "code": row["code"],
            "status": row["status"],
            "created_at": row["created_at"],
            "confirmed_at": row["confirmed_at"],
        }
        for row in await pool.fetch(_PAGE, referrer, 51)
    ]
    return to_json({"items": items[:50], "next_cursor": "A" * 58})


_BY_EMAIL = """
    SELECT referral_codes.code, referral_codes.expires_at, users.first_name, users.last_name
    FROM referral_codes JOIN users ON users.id = referral_codes.owner_id
    WHERE users.status = $1::VARCHAR AND referral_codes.activated_at IS NOT NULL
    AND referral_codes.retired_at IS NULL AND referral_codes.expires_at > $2::TIMESTAMP WITH TIME ZONE
    AND (referral_codes.max_uses IS NULL OR referral_codes.uses < referral_codes.max_uses)
    AND users.email_key = $3::VARCHAR AND referral_codes.discoverable IS true
"""
_PAGE = """
    SELECT referrals.id, referrals.status, referrals.created_at, referrals.confirmed_at, referral_codes.code,
           users.first_name, users.last_name, users.email
    FROM referrals JOIN users ON users.id = referrals.referee_id
    JOIN referral_codes ON referral_codes.id = referrals.code_id
    WHERE referrals.referrer_id = $1::UUID ORDER BY referrals.created_at DESC, referrals.id DESC
    LIMIT $2
"""

if __name__ == "__main__":
    # As `goodword serve` calls it.
    uvicorn.run(
        f"limits_asgi:{sys.argv[1]}",
        factory=True,
        port=int(sys.argv[2]),
        workers=int(sys.argv[3]),
        log_level="info",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
    )
