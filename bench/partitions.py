"""Compare the audit log and the jobs as one table and as partitions by time, with millions of rows in PostgreSQL.

    PYTHONPATH=tests:bench python bench/partitions.py --rows 10000000

Takes half an hour and 10 GB of disk. The tables are copies with the indexes of the schema, without triggers. Ids of
version 7 begin with their time, so partitions are ranges of ids. A unique index that does not contain the id is not
unique in a partitioned table.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg

import machine
import servers
from goodword import migrations
from stack import POSTGRES

START_MS, DAY_MS = 1_767_225_600_000, 86_400_000
LIVE_ROWS = 20_000
BATCH = 1_000
"""Rows of a transaction: as many as retention deletes in one."""
PERSON = "'00000000-0000-7000-8000-000000000001'::uuid"
FUNCTIONS = """
    CREATE FUNCTION moment(n bigint) RETURNS timestamptz IMMUTABLE LANGUAGE sql
        AS $$ SELECT to_timestamp(({start} + n * {step}) / 1000.0) $$;
    CREATE FUNCTION id_of(ms bigint, rest text) RETURNS uuid IMMUTABLE LANGUAGE sql
        AS $$ SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(rest, 1, 3) || '8' || substr(rest, 4, 15))::uuid $$;
    CREATE FUNCTION row_id(n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
        AS $$ SELECT id_of({start} + n * {step}, md5(n::text)) $$;
    CREATE FUNCTION person(n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
        AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n * 7919 % 1000003), 12, '0'))::uuid $$;
"""
AUDIT = """
    INSERT INTO {table} (id, created_at, action, actor, actor_id, person_id, subject, subject_id, request_id, details,
        address, address_mac, sequence, hash)
    SELECT row_id(n), moment(n), 'session_created', 'user', person(n), person(n), 'session',
        row_id(n), md5(n::text), '{{}}', NULL, sha256(n::text::bytea), n + 1, sha256(n::text::bytea)
    FROM generate_series({first}::bigint, {last}) AS n
"""
JOBS = """
    INSERT INTO {table} (id, created_at, kind, payload, run_at, attempts, finished_at, outcome)
    SELECT row_id(n), moment(n), 'send_email', '{{}}', moment(n), 1, moment(n), 'done'
    FROM generate_series({first}::bigint, {last}) AS n
"""


@dataclass(frozen=True)
class Subject:
    table: str
    periods: int
    days: int
    """In a period."""
    fill: str
    oldest: str
    """The next rows that retention deletes. `$1` is a time."""
    live: str
    """Insert one row of `$1`, a UUID."""
    updates: tuple[str, ...]
    """The changes of each row in its life."""
    reads: dict[str, str]


SUBJECTS = (
    Subject(
        "audit_events",
        12,
        30,
        AUDIT,
        "SELECT id FROM {table} WHERE id < {before} ORDER BY id LIMIT 1000",
        "INSERT INTO {table} (id, created_at, action, actor, actor_id, person_id, subject, details, address)"
        " VALUES ($1, now(), 'session_created', 'user', person($2), person($2), 'session', '{{}}', '192.0.2.1')",
        (
            "UPDATE {table} SET sequence = $2 + 1000000000, hash = sha256('x'), address_mac = sha256('y') WHERE id = $1",
            "UPDATE {table} SET address = NULL WHERE id = $1 AND $2 > 0",
        ),
        {
            "events of a user": f"SELECT * FROM {{table}} WHERE person_id = {PERSON} ORDER BY id DESC LIMIT 50",
            "newest events": "SELECT * FROM {table} ORDER BY id DESC LIMIT 50",
            "head of the chain": "SELECT sequence, hash FROM {table} WHERE sequence IS NOT NULL"
            " ORDER BY sequence DESC LIMIT 1",
            "next to seal": "SELECT id FROM {table} WHERE sequence IS NULL ORDER BY id LIMIT 500",
            "page of the chain": "SELECT * FROM {table} WHERE sequence > {half} ORDER BY sequence LIMIT 1000",
        },
    ),
    Subject(
        "jobs",
        8,
        1,
        JOBS,
        "SELECT id FROM {table} WHERE outcome = 'done' AND finished_at < {before_time} ORDER BY finished_at LIMIT 1000",
        "INSERT INTO {table} (id, created_at, kind, payload, run_at, attempts)"
        " VALUES ($1, now(), 'send_email', '{{}}', now() + $2 * interval '1 ms', 0)",
        (
            "UPDATE {table} SET attempts = 1, leased_by = 'worker', leased_until = now() WHERE id = $1 AND $2 > 0",
            "UPDATE {table} SET leased_by = NULL, finished_at = now(), outcome = 'done' WHERE id = $1 AND $2 > 0",
        ),
        {
            "next due": "SELECT id FROM {table} WHERE kind = 'send_email' AND finished_at IS NULL AND run_at <= now()"
            " ORDER BY run_at, id LIMIT 1",
            "by id": "SELECT * FROM {table} WHERE id = row_id(4711)",
            "jobs of a user": f"SELECT * FROM {{table}} WHERE user_id = {PERSON}",
            "dead jobs": "SELECT * FROM {table} WHERE outcome = 'dead' ORDER BY finished_at, id LIMIT 50",
        },
    ),
)


class Cost(NamedTuple):
    seconds: float
    cpu: float
    wal: float
    """MiB."""


class Bench:
    def __init__(
        self, connection: asyncpg.Connection, subject: Subject, rows: int, *, is_split: bool
    ) -> None:
        self.connection, self.subject, self.rows, self.is_split = connection, subject, rows, is_split
        self.step = subject.periods * subject.days * DAY_MS // rows
        self.values = {
            "table": "measured",
            "before": self._bound(1),
            "half": rows // 2,
            "before_time": f"moment({rows // subject.periods})",
        }

    def _bound(self, period: int) -> str:
        return f"id_of({START_MS + period * self.subject.days * DAY_MS}, repeat('0', 18))"

    async def run(self, statement: str) -> None:
        await self.connection.execute(statement.format(**self.values))

    async def create(self) -> None:
        await self.connection.execute(FUNCTIONS.format(start=START_MS, step=self.step))
        split = " PARTITION BY RANGE (id)" if self.is_split else ""
        like = f"LIKE {self.subject.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
        quiet = "" if self.is_split else " WITH (autovacuum_enabled = off)"
        await self.run(f"CREATE TABLE {{table}} ({like}){split}{quiet}")
        for period in range(self.subject.periods + 3) if self.is_split else ():
            await self.add_partition(period)

    async def add_partition(self, period: int) -> None:
        bounds = [
            await self.connection.fetchval(f"SELECT {self._bound(one)}") for one in (period, period + 1)
        ]
        last = "MAXVALUE" if period == self.subject.periods + 2 else f"'{bounds[1]}'"
        await self.run(
            f"CREATE TABLE {{table}}_{period} PARTITION OF {{table}} FOR VALUES FROM ('{bounds[0]}') TO ({last})"
            " WITH (autovacuum_enabled = off)"
        )

    async def fill(self, period: int, periods: int = 1) -> None:
        size = self.rows // self.subject.periods
        rows = {"first": period * size, "last": (period + periods) * size - 1}
        await self.connection.execute(self.subject.fill.format(**self.values, **rows))

    async def index(self) -> None:
        for row in await self.connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1", self.subject.table
        ):
            text = row["indexdef"].replace(f"ON public.{self.subject.table}", "ON measured")
            if self.is_split and "(id)" not in text:
                text = text.replace("UNIQUE ", "")
            await self.connection.execute(
                text.replace(f"INDEX {row['indexname']}", f"INDEX m_{row['indexname']}")
            )
        await self.run("VACUUM (ANALYZE) {table}")

    async def size(self) -> float:
        """Return the MiB of the table with its indexes and partitions."""
        found = await self.connection.fetchval(
            "SELECT coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size('measured'))"
            " FROM pg_partition_tree('measured')"
        )
        return float(found) / 2**20

    async def cost(self, work: Callable[[], Awaitable[None]]) -> Cost:
        await self.connection.execute("CHECKPOINT")
        lsn, pid = await self.connection.fetchrow("SELECT pg_current_wal_lsn(), pg_backend_pid()")
        began, cpu = time.monotonic(), machine.cpu(pid)
        await work()
        seconds, cpu = time.monotonic() - began, machine.cpu(pid) - cpu
        wal = await self.connection.fetchval("SELECT pg_current_wal_lsn() - $1::pg_lsn", lsn)
        return Cost(seconds, cpu, float(wal) / 2**20)

    async def live(self) -> None:
        """Insert rows as the service does, in the last period."""
        first = self.rows * 2
        for begin in range(0, LIVE_ROWS, BATCH):
            numbers = range(begin, begin + BATCH)
            ids = await self.connection.fetch(
                "SELECT id_of($1::bigint + n, md5(n::text)) AS id, n FROM unnest($2::bigint[]) AS n",
                START_MS + (self.subject.periods + 1) * self.subject.days * DAY_MS,
                [first + number for number in numbers],
            )
            async with self.connection.transaction():
                values = [(row["id"], row["n"]) for row in ids]
                await self.connection.executemany(self.subject.live.format(**self.values), values)

    async def change(self) -> None:
        found = await self.connection.fetch(
            f"SELECT id, row_number() OVER () AS n FROM measured WHERE id >= {self._bound(self.subject.periods + 1)}"
        )
        values = [(row["id"], row["n"]) for row in found]
        for statement in self.subject.updates:
            for begin in range(0, len(values), BATCH):
                async with self.connection.transaction():
                    await self.connection.executemany(
                        statement.format(**self.values), values[begin : begin + BATCH]
                    )

    async def purge(self) -> None:
        """Delete the oldest period as retention does, or drop its partition."""
        if self.is_split:
            await self.run("ALTER TABLE {table} DETACH PARTITION {table}_0 CONCURRENTLY")
            await self.run("DROP TABLE {table}_0")
            return
        query = self.subject.oldest.format(**self.values) + " FOR UPDATE SKIP LOCKED"
        while True:
            async with self.connection.transaction():
                ids = [row["id"] for row in await self.connection.fetch(query)]
                await self.connection.execute("DELETE FROM measured WHERE id = ANY($1)", ids)
            if len(ids) < BATCH:
                return

    async def reads(self) -> dict[str, str]:
        """Return pages, milliseconds of planning and of execution, by query."""
        found = {}
        for name, query in self.subject.reads.items():
            text = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query.format(**self.values)}"
            await self.connection.fetchval(text)
            [plan] = json.loads(await self.connection.fetchval(text))
            pages = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            found[name] = f"{pages} pages, {plan['Planning Time']:.2f} + {plan['Execution Time']:.2f} ms"
        return found


async def measure(
    connection: asyncpg.Connection, subject: Subject, rows: int, *, is_split: bool
) -> dict[str, str]:
    bench, result = Bench(connection, subject, rows, is_split=is_split), dict[str, str]()

    async def note(name: str, work: Callable[[], Awaitable[None]]) -> None:
        cost = await bench.cost(work)
        result[name] = f"{cost.seconds:.1f} s, CPU {cost.cpu:.1f} s, WAL {cost.wal:,.0f} MiB"
        print(f"  {name}: {result[name]}", flush=True)

    await bench.create()
    await bench.fill(0, subject.periods)
    await bench.index()
    result["size"] = f"{await bench.size():,.0f} MiB"
    result |= await bench.reads()
    await note(f"insert {LIVE_ROWS:,} rows", bench.live)
    await note(f"change each of these {len(subject.updates)} times", bench.change)
    await note("vacuum after it", lambda: bench.run("VACUUM {table}"))
    await note("remove the oldest period", bench.purge)
    await note("vacuum after the removal", lambda: bench.run("VACUUM {table}"))
    await note("fill the next period", lambda: bench.fill(subject.periods))
    result["size with the next period"] = f"{await bench.size():,.0f} MiB"
    result |= {f"{name}, later": text for name, text in (await bench.reads()).items()}
    await bench.run("DROP TABLE {table}")
    await connection.execute(
        "DROP FUNCTION row_id; DROP FUNCTION id_of; DROP FUNCTION moment; DROP FUNCTION person"
    )
    return result


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--tables", nargs="*", default=[subject.table for subject in SUBJECTS])
    options = parser.parse_args()
    rows = options.rows
    with servers.postgres_server(*POSTGRES) as server:
        await migrations.upgrade(server.url)
        connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
        print(f"{await connection.fetchval('SHOW server_version')}, {rows:,} rows")
        for subject in (one for one in SUBJECTS if one.table in options.tables):
            print(subject.table, flush=True)
            plain, split = [
                await measure(connection, subject, rows, is_split=is_split) for is_split in (False, True)
            ]
            print(
                f"\n| {subject.table}, {rows:,} rows | one table | {subject.periods} partitions |\n|---|---|---|"
            )
            for name, text in plain.items():
                print(f"| {name} | {text} | {split[name]} |")
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
