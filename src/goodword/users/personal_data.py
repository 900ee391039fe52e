"""Personal data: the account itself, and the single-use tokens sent to it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, fields_of, rows_of
from goodword.languages import DEFAULT
from goodword.services import Services
from goodword.users import service, verifications
from goodword.users.models import User, UserStatus, Verification

_FIELDS = "id external_id reported_email reported_email_key reported_email_canonical email email_key email_canonical first_name last_name language status is_admin created_at signed_up_at verified_at"


def data_subject(user: User) -> DataSubject:
    """Return the keys of a user's data. The address that a product reported is not among them: it can be another's."""
    return DataSubject(user.id, user.email, user.email_key, user.email_canonical)


async def _erase_account(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    user = await session.get_one(User, subject.user_id)
    user.external_id = user.signed_up_at = None
    user.reported_email = user.reported_email_key = user.reported_email_canonical = None
    user.email = user.email_key = user.email_canonical = user.password_hash = None
    user.first_name = user.last_name = user.verified_at = None
    user.language = DEFAULT
    user.status, user.erased_at, user.is_admin = UserStatus.ERASED, services.clock(), False
    await session.flush()


async def _account(session: AsyncSession, _services: Services, subject: DataSubject) -> Mapping[str, Any]:
    user: Any = await service.get(session, subject.user_id)
    return {**fields_of(_FIELDS)(user.id, user), "has_password": user.password_hash is not None}


async def _erase_tokens(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    await verifications.forget(session, subject.user_id, subject.email_key)


PERSONAL_DATA = (
    PersonalData(model=User, erase=_erase_account, export={"account": _account}),
    PersonalData(
        model=Verification,
        erase=_erase_tokens,
        export={"verifications": rows_of(Verification, "purpose email created_at expires_at used_at")},
    ),
)
