"""Personal data: what providers say about an address and about a person."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, delete_rows
from goodword.providers import email_checks, enrichment
from goodword.providers.email_checks import CheckResult
from goodword.providers.models import EmailCheck, Profile, Status
from goodword.providers.schemas import ProfileRead
from goodword.services import Services


async def _erase_checks(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    own = EmailCheck.user_id == subject.user_id
    if subject.email_key is not None:
        own = or_(own, EmailCheck.address_mac == email_checks.mac_of(services, subject.email_key))
    # A restriction is kept for ever, without the account.
    unrestricted = EmailCheck.status.is_distinct_from(Status.RESTRICTED)
    await session.execute(delete(EmailCheck).where(own, unrestricted))
    await session.execute(update(EmailCheck).where(own).values(user_id=None))


async def _email_check(session: AsyncSession, services: Services, subject: DataSubject) -> Mapping[str, Any]:
    known = CheckResult()
    if subject.email is not None:
        known = await email_checks.known_of(session, services, subject.email)
    return {"verdict": known.verdict, "provider": known.provider, "checked_at": known.checked_at}


async def _profile(
    session: AsyncSession, _services: Services, subject: DataSubject
) -> Mapping[str, Any] | None:
    profile = await enrichment.find_profile(session, subject.user_id)
    return ProfileRead.model_validate(profile).model_dump() if profile else None


PERSONAL_DATA = (
    PersonalData(model=EmailCheck, erase=_erase_checks, export={"email_check": _email_check}),
    PersonalData(model=Profile, erase=delete_rows(Profile), export={"profile": _profile}),
)
