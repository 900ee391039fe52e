"""Personal data: the quotas of a user, which several features count."""

import uuid
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
from goodword.users import verifications
from goodword.users.models import Purpose


def _scopes(user_id: uuid.UUID) -> Mapping[str, Sequence[str]]:
    user = str(user_id)
    return {
        "invitations": (INVITATION, "from", user),
        "referral notices": (MessageKind.FRIEND_JOINED, "to", user),
        "lockout notices": (MessageKind.SIGN_IN_LOCKED, user),
        "e-mail checks": (email_checks.QUOTA, user),
        **{purpose.value: verifications.user_scope(purpose, user_id) for purpose in Purpose},
    }


async def _erase(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    await quotas.forget(session, services.keys.quotas, _scopes(subject.user_id).values())


async def _quotas(
    session: AsyncSession, services: Services, subject: DataSubject
) -> Sequence[Mapping[str, Any]]:
    scopes = _scopes(subject.user_id)
    rows = await quotas.find(session, services.keys.quotas, scopes.values())
    return [
        {"quota": name, "used": row.used, "ends_at": row.ends_at}
        for name, row in zip(scopes, rows, strict=True)
        if row
    ]


PERSONAL_DATA = (PersonalData(model=Quota, erase=_erase, export={"quotas": _quotas}),)
