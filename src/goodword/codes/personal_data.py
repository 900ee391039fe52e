"""Personal data: referral codes."""

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import service
from goodword.codes.models import ReferralCode
from goodword.db.personal_data import DataSubject, PersonalData, rows_of
from goodword.services import Services
from goodword.users.models import User

_FIELDS = "code kind created_at expires_at activated_at retired_at retired_reason max_uses uses discoverable"


async def _erase(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    owner = await session.get_one(User, subject.user_id)
    await service.erase_all(session, owner, now=services.clock())


PERSONAL_DATA = (
    PersonalData(
        model=ReferralCode, erase=_erase, export={"codes": rows_of(ReferralCode, _FIELDS, owner="owner_id")}
    ),
)
