"""Personal data: the quotas of a user, which several features count."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData
from goodword.invitations.service import INVITATION
from goodword.mail.messages import MessageKind
from goodword.providers import email_checks
from goodword.rate_limits import quotas
from goodword.rate_limits.models import Quota
from goodword.services import Services
from goodword.users.models import Purpose

USER_QUOTAS = {
    "invitations": INVITATION,
    "referral notices": MessageKind.FRIEND_JOINED,
    "lockout notices": MessageKind.SIGN_IN_LOCKED,
    "e-mail checks": email_checks.QUOTA,
    **{purpose.value: purpose for purpose in Purpose},
}
"""The names of the quotas of a user, by their names in the export."""


async def _erase(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    await quotas.forget(session, services.keys.quotas, _scopes(subject))


async def _quotas(
    session: AsyncSession, services: Services, subject: DataSubject
) -> Sequence[Mapping[str, Any]]:
    rows = await quotas.find(session, services.keys.quotas, _scopes(subject))
    return [
        {"quota": name, "used": row.used, "ends_at": row.ends_at}
        for name, row in zip(USER_QUOTAS, rows, strict=True)
        if row
    ]


def _scopes(subject: DataSubject) -> Sequence[Sequence[str]]:
    return [quotas.user_scope(name, subject.user_id) for name in USER_QUOTAS.values()]


PERSONAL_DATA = (PersonalData(model=Quota, erase=_erase, export={"quotas": _quotas}),)
