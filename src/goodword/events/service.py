"""Look-up of events."""

import uuid
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.events.models import Event


async def find(session: AsyncSession, program_id: uuid.UUID, source_id: str) -> Event | None:
    """Return the event of a program with the id that its source gave it, or None."""
    found: Event | None = await session.scalar(_FIND, {"program_id": program_id, "source_id": source_id})
    return found


_FIND: Any = select(Event).where(
    Event.program_id == bindparam("program_id"), Event.source_id == bindparam("source_id")
)
