"""Personal data: jobs about a user or an address."""

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, rows_of
from goodword.jobs import service
from goodword.jobs.models import Job
from goodword.services import Services


async def _erase(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    await service.delete_for_user(session, subject.user_id, email_key=subject.email_key)


PERSONAL_DATA = (
    PersonalData(
        model=Job, erase=_erase, export={"jobs": rows_of(Job, "kind created_at run_at finished_at outcome")}
    ),
)
