"""Measure how fast retention removes sessions and clears addresses from a million rows, and how many pages it reads."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import asyncpg
from pydantic import SecretStr

import servers
from goodword import migrations
from goodword.composition import build_services
from goodword.config.settings import Settings
from goodword.jobs.service import ClaimedJob
from goodword.retention import HANDLERS
from measured import Measured, scaled
from stack import POSTGRES

ROWS, CODES = 1_000_000, 100_000
DAILY = 10_000_000
"""Rows that must be removed in a day: one for each of ten million users. They cause fewer."""
MAX_PAGES = 40
"""For a row, in memory or not. A read of the table for each batch would be more."""
USER, APP = uuid.UUID(int=1), uuid.UUID(int=2)
FILL = f"""
    CREATE FUNCTION pg_temp.numbered(n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
        AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
    INSERT INTO users (id, created_at, status, email, email_key, email_canonical)
        VALUES ('{USER}', now(), 'active', 'a@example.com', 'a@example.com', 'a@example.com');
    INSERT INTO sessions (id, created_at, user_id, counter, rotated_at, idle_expires_at, expires_at, scope, client)
        SELECT pg_temp.numbered(n), now(), '{USER}', 0, now(), ends, ends, 'profile', 'goodword'
        FROM generate_series(0, {{rows}}) AS n,
        LATERAL (SELECT CASE n WHEN 0 THEN now() ELSE now() - interval '99 days' + n * interval '1 s' END) AS o (ends);
    INSERT INTO oauth_clients (id, created_at, client_id, name, redirect_uris, scope, grant_types)
        VALUES ('{APP}', now(), 'app', 'App', '', 'profile', '');
    INSERT INTO oauth_codes (id, created_at, code_mac, client_id, user_id, redirect_uri, scope, code_challenge,
        browser_session_id, signed_in_at, expires_at)
        SELECT pg_temp.numbered(n), now(), sha256(n::text::bytea), '{APP}', '{USER}', '', 'profile', '',
        pg_temp.numbered(0), now(), now() FROM generate_series(1, {{codes}}) AS n;
    INSERT INTO audit_events (id, created_at, action, actor, actor_id, person_id, subject, details, address, sequence,
        hash)
        SELECT pg_temp.numbered(n), now(), 'session_created', 'user', '{USER}', '{USER}', 'session', '{{{{}}}}',
        '192.0.2.1', n, sha256(n::text::bytea) FROM generate_series(1, {{rows}}) AS n;
"""
LEFT = {
    "purge_sessions": "SELECT count(*) FROM sessions",
    "clear_audit_addresses": "SELECT count(*) FROM audit_events WHERE address IS NOT NULL",
}
PAGES = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"


class Cost(NamedTuple):
    rows: int
    seconds: float
    pages: int


async def _value(url: str, query: str) -> int:
    """Return the result of a query on a connection of its own: PostgreSQL counts pages when a connection closes."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


async def _cost(url: str, kind: str) -> Cost:
    """Run one job of this kind, which ends after `TIME_LIMIT` or when nothing is left."""
    services = build_services(Settings(database_url=SecretStr(url), secret_key=SecretStr("f" * 40)))
    rows, pages, began = await _value(url, LEFT[kind]), await _value(url, PAGES), time.monotonic()
    await HANDLERS[kind](services, ClaimedJob(uuid.uuid4(), kind, {}, None, "figure", 1))
    seconds = time.monotonic() - began
    await services.database.close()
    await asyncio.sleep(1)
    read = await _value(url, PAGES) - pages
    return Cost(rows - await _value(url, LEFT[kind]), seconds, read)


async def _measure(url: str, share: float) -> dict[str, Cost]:
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(FILL.format(rows=scaled(ROWS, share), codes=scaled(CODES, share)))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return {kind: await _cost(url, kind) for kind in LEFT}


def measure(_folder: Path, share: float) -> Measured:
    with servers.postgres_server(*POSTGRES) as postgres:
        costs = asyncio.run(_measure(postgres.url, share))
    text = "; ".join(
        f"{kind}: {cost.rows:,} rows in {cost.seconds:.1f} s, {cost.rows / cost.seconds * 86_400:,.0f} a day,"
        f" {cost.pages / cost.rows:.0f} pages for a row"
        for kind, cost in costs.items()
    )
    kept = (
        cost.rows / cost.seconds * 86_400 >= DAILY and cost.pages <= MAX_PAGES * cost.rows
        for cost in costs.values()
    )
    return Measured(f"of {scaled(ROWS, share):,}: {text}", all(kept))
