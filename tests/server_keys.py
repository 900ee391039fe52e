"""API keys of the servers of products."""

from collections.abc import Collection
from uuid import UUID, uuid4

from fastapi import FastAPI

from goodword.api_keys import service as api_keys


async def make_key(app: FastAPI, scopes: Collection[str], *, program_id: UUID | None = None) -> str:
    """The text of a new key."""
    services = app.state.services
    async with services.database.transaction() as session:
        _, text = await api_keys.create(
            session,
            services.keys.api_keys,
            name=str(uuid4()),
            scope=scopes,
            program_id=program_id,
            now=services.clock(),
        )
    return text
