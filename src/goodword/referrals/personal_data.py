"""Personal data: referrals. Their rows outlive an erasure, as a count without a name."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db import personal_data
from goodword.db.database import Database
from goodword.db.keyset import Position
from goodword.db.personal_data import DataSubject, PersonalData, Rows
from goodword.referrals import listing, service
from goodword.referrals.models import Referral
from goodword.referrals.schemas import Order
from goodword.services import Services
from goodword.web.models import IdempotencyKey


async def _erase(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    # The stored response to the registration, or to the report, of a referee names the referrer.
    referees = select(Referral.referee_id).where(Referral.referrer_id == subject.user_id)
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id.in_(referees)))
    # An administrator may have named the user in the reason of a rejection.
    own = or_(Referral.referee_id == subject.user_id, Referral.referrer_id == subject.user_id)
    await session.execute(update(Referral).where(own, Referral.reason.is_not(None)).values(reason=None))


async def _page(database: Database, user_id: uuid.UUID, after: Row[Any] | None) -> Sequence[Row[Any]]:
    position = Position(after.created_at, after.id) if after is not None else None
    limit = personal_data.PAGE - 1  # the function returns one row more
    return await listing.list_referrals(database, user_id, order=Order.OLDEST, after=position, limit=limit)


def _format(_user_id: uuid.UUID, row: Row[Any]) -> Mapping[str, Any]:
    """Return a referral as the list of referrals shows it."""
    found = listing.shown(row)
    del found["id"]
    return found


PERSONAL_DATA = (
    PersonalData(
        model=Referral,
        erase=_erase,
        export={
            "referred_by": lambda session, _, subject: service.referred_by(session, subject.user_id),
            "referrals": Rows(_page, _format),
        },
    ),
)
