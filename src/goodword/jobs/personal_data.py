"""Personal data: jobs about a user or an address."""

import json

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, rows_of
from goodword.jobs.models import IS_DEAD, Job
from goodword.services import Services


async def _erase(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    """Delete the jobs of a user, and unfinished or dead jobs whose payload contains the user's address."""
    # Three statements, each with its index: finished jobs are many, and their payload is empty.
    await session.execute(delete(Job).where(Job.user_id == subject.user_id))
    if subject.email_key is None:
        return
    named = Job.payload.contains(json.dumps(subject.email_key, ensure_ascii=False), autoescape=True)
    await session.execute(delete(Job).where(Job.finished_at.is_(None), named))
    await session.execute(delete(Job).where(IS_DEAD, named))


PERSONAL_DATA = (
    PersonalData(
        model=Job, erase=_erase, export={"jobs": rows_of(Job, "kind created_at run_at finished_at outcome")}
    ),
)
