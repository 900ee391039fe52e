"""A restored backup brings people back who were erased since: before anything is served, sent or changed, they go again."""

import uuid
from collections.abc import Callable
from datetime import datetime

import structlog

from goodword.account import service, tombstones
from goodword.db import Database
from goodword.origin import Actor, Origin, current
from goodword.settings import Settings
from goodword.users import service as users
from goodword.users.models import UserStatus

log = structlog.get_logger("goodword.tombstones")


async def erase_again(database: Database, settings: Settings, clock: Callable[[], datetime]) -> None:
    """Bring the tombstones of the file and of the database together, and erase whom the database still has."""
    asked = current.set(Origin(Actor.SYSTEM, clock=clock))
    try:
        people = await tombstones.returned(database, settings)
        for user_id in people:
            await _erase(database, user_id, clock)
        await tombstones.mirror(database, settings)
    finally:
        current.reset(asked)
    if people:
        log.warning("people came back with a backup and were erased again", people=len(people))


async def _erase(database: Database, user_id: uuid.UUID, clock: Callable[[], datetime]) -> None:
    async with database.transaction() as session:
        user = await session.scalar(users.LOCKED, {"user_id": user_id})
        # Another process that starts at the same moment may have done it.
        if user is not None and user.status != UserStatus.ERASED:
            await service.erase(session, user, now=clock())
