"""Measure how long a large database takes to upgrade, from the first schema to the current one.

Compare it with what `goodword migrate --check` says before.
"""

import argparse
import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

import machine
import serving
from goodword import migrations
from scale import crowd_of
from seed import dsn, fill
from stack import Stack, stack

FIRST = "20261128_01"
SESSIONS = """
    INSERT INTO sessions (id, created_at, user_id, counter, rotated_at, idle_expires_at, expires_at, scope, client)
    SELECT gen_random_uuid(), created_at, id, 1, created_at, created_at + interval '30 days',
           created_at + interval '90 days', 'profile', 'goodword' FROM users
"""


async def prepare(stack: Stack, people: int) -> dict[str, str]:
    """Create a database of the first schema with these people, each with a session. Return its settings."""
    connection = await asyncpg.connect(dsn(stack.postgres.url))
    await connection.execute("CREATE DATABASE upgraded")
    await connection.close()
    url = stack.postgres.url.rpartition("/")[0] + "/upgraded"
    await migrations.upgrade(url, FIRST)
    await fill(url, crowd_of(people))
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(SESSIONS)
    await connection.execute("VACUUM (ANALYZE) sessions")
    await connection.close()
    return {"DATABASE_URL": url}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10**6)
    given = parser.parse_args()
    print(f"{machine.described()}. Load average {machine.load()}.\n")
    with TemporaryDirectory(prefix="goodword-bench-") as folder, stack(Path(folder)) as all_of_it:
        settings = asyncio.run(prepare(all_of_it, given.people))
        checked = serving.goodword(Path(folder), "migrate", "--check", **all_of_it.settings(settings))
        print(checked.stdout)
        begun = time.monotonic()
        all_of_it.migrate(settings)
        print(f"goodword migrate took {time.monotonic() - begun:.1f} s with {given.people:,} people.")


if __name__ == "__main__":
    main()
