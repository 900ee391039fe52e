"""An empty database of its own on the shared PostgreSQL."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg


@asynccontextmanager
async def fresh_database(postgres_url: str, *, template: str = "template1") -> AsyncIterator[str]:
    """Create a database, and drop it after the block. Yield its URL."""
    name = f"fresh_{uuid.uuid4().hex}"
    operator = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    await operator.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres_url.rpartition("/")[0] + f"/{name}"
    await operator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await operator.close()
