"""A PostgreSQL that can be cut off and reached again."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from fresh_database import fresh_database
from serving import free_port


@pytest.fixture
async def database(postgres_url, postgres_template):
    """Yield the URL of an empty installation's database, and that of an address where nothing listens."""
    async with fresh_database(postgres_url, template=postgres_template) as here:
        yield here, away(here)


def away(here):
    """Return the URL of a database at an address where nothing listens."""
    return urlsplit(here)._replace(netloc=f"postgres@127.0.0.1:{free_port()}").geturl()


@asynccontextmanager
async def reachable(here, there):
    """Make the database at `here` reachable at the address of `there`, and cut all connections after the block."""
    writers = []

    async def pass_on(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connect(reader, writer):
        other = await asyncio.open_connection(urlsplit(here).hostname, urlsplit(here).port)
        writers.extend((writer, other[1]))
        await asyncio.gather(pass_on(reader, other[1]), pass_on(other[0], writer), return_exceptions=True)

    server = await asyncio.start_server(connect, "127.0.0.1", urlsplit(there).port)
    yield
    server.close()
    for writer in writers:
        writer.transport.abort()
