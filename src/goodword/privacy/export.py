"""The export of a user's data (GDPR articles 15 and 20), as a stream of JSON.

It contains what the features declare in `personal_data`, and nothing about other users beyond what the user sees.
Lists are read page by page, so the memory needed does not grow with them.
"""

import re
import uuid
from collections.abc import AsyncIterator

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.config.settings import Settings
from goodword.db.personal_data import Rows
from goodword.services import Services
from goodword.users import service as users
from goodword.users.personal_data import data_subject


def headers(settings: Settings) -> dict[str, str]:
    """Return the headers of the file. Its name begins with that of the brand."""
    name = re.sub("[^a-z0-9]+", "-", settings.brand_name.lower()).strip("-") or "account"
    return {"Content-Disposition": f'attachment; filename="{name}-export.json"'}


async def begin(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Record the export in the audit log, before the response begins. Raise `TokenInvalid`."""
    await users.get(session, user_id)
    record(session, Action.USER_EXPORTED, Subject.USER, user_id)


async def document(services: Services, user_id: uuid.UUID) -> AsyncIterator[bytes]:
    """Yield one JSON object, in pieces."""
    yield b'{"exported_at":' + to_json(services.clock())
    async with services.database.readers() as session:
        subject = data_subject(await users.get(session, user_id))
    for data in services.personal_data:
        for name, section in data.export.items():
            yield f',"{name}":'.encode()
            if isinstance(section, Rows):
                separator = b"["
                async for item in section.items(services.database, user_id):
                    yield separator + to_json(item)
                    separator = b","
                yield b"[]" if separator == b"[" else b"]"
            else:
                async with services.database.readers() as session:
                    yield to_json(await section(session, services, subject))
    yield b"}"
