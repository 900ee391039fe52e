"""Erase the codes of an account in batches, since a long transaction would hold up other writers."""

import uuid
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import changes, lookup
from goodword.codes.models import ReferralCode, Retirement
from goodword.db.keyset import Position, keyset_order
from goodword.services import Services

BATCH = 1_000


async def erase_batch(
    session: AsyncSession, services: Services, owner_id: uuid.UUID, *, after: Position | None, now: datetime
) -> Position | None:
    """Retire up to `BATCH` codes of an erased owner and delete their text, which can be a name.

    Return the position of the last one, or None if there are no more. The audit log has an event for the active code
    only: the others were not in circulation, and the erasure of the account has an event of its own.
    """
    query = select(ReferralCode).where(ReferralCode.owner_id == owner_id, ReferralCode.key.is_not(None))
    query = keyset_order(query, (ReferralCode.created_at, ReferralCode.id), after=after)
    codes = (await session.scalars(query.limit(BATCH).with_for_update())).all()
    if not codes:
        return None
    why = Retirement.ERASED
    await session.execute(
        update(ReferralCode)
        .where(ReferralCode.id.in_([code.id for code in codes]))
        .values(
            code=None,
            key=None,
            retired_at=func.coalesce(ReferralCode.retired_at, now),
            retired_reason=func.coalesce(ReferralCode.retired_reason, why),
        )
        .execution_options(synchronize_session=False)
    )
    for code in codes:
        lookup.invalidate(session, code.key, None)
        if code.activated_at is not None and code.retired_at is None:
            record(session, Action.CODE_RETIRED, Subject.CODE, code.id, person=owner_id, why=why.value)
            await changes.publish(session, services, code, changes.RETIRED, now=now)
    return Position(codes[-1].created_at, codes[-1].id) if len(codes) == BATCH else None
