"""Personal data: stored responses of idempotent requests."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, rows_of
from goodword.services import Services
from goodword.web.idempotency import IdempotencyKey


async def _erase(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id == subject.user_id))


PERSONAL_DATA = (
    PersonalData(
        model=IdempotencyKey,
        erase=_erase,
        export={"stored_answers": rows_of(IdempotencyKey, "route key status created_at")},
    ),
)
