"""Personal data: referral codes."""

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import erasure, service
from goodword.codes.models import ReferralCode
from goodword.db.personal_data import DataSubject, PersonalData, rows_of
from goodword.services import Services
from goodword.users.models import User

_FIELDS = "code kind created_at expires_at activated_at retired_at retired_reason deleted_at max_uses uses discoverable"


async def _erase(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    owner = await session.get_one(User, subject.user_id)
    await service.invalidate_lookups(session, owner)
    # The job that follows the erasure goes on if the user has more codes. None is usable without an active owner.
    await erasure.erase_batch(session, services, owner.id, after=None, now=services.clock())


PERSONAL_DATA = (
    PersonalData(
        model=ReferralCode, erase=_erase, export={"codes": rows_of(ReferralCode, _FIELDS, owner="owner_id")}
    ),
)
