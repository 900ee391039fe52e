"""Personal data: identities at the providers of social sign-in."""

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, rows_of
from goodword.services import Services
from goodword.social import service
from goodword.social.models import Identity


async def _erase(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    await service.forget(session, subject.user_id)


PERSONAL_DATA = (
    PersonalData(
        model=Identity, erase=_erase, export={"identities": rows_of(Identity, "provider subject created_at")}
    ),
)
