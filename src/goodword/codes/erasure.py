"""Erase the codes of an account in batches, since a long transaction would hold up other writers."""

import uuid
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import lookup
from goodword.codes.models import ReferralCode, Retirement
from goodword.db.keyset import Position, keyset_order

BATCH = 500
UNSYNCHRONIZED = {"synchronize_session": False}


async def erase_batch(
    session: AsyncSession, owner_id: uuid.UUID, *, after: Position | None, now: datetime
) -> Position | None:
    """Retire up to `BATCH` codes of an erased owner and delete their text, which can be a name.

    Return the position of the last one, or None if there are no more.
    """
    query = select(ReferralCode.id, ReferralCode.created_at, ReferralCode.key).where(
        ReferralCode.owner_id == owner_id, ReferralCode.key.is_not(None)
    )
    query = keyset_order(query, (ReferralCode.created_at, ReferralCode.id), after=after)
    rows = (await session.execute(query.limit(BATCH))).all()
    if not rows:
        return None
    codes = update(ReferralCode).where(ReferralCode.id.in_([row.id for row in rows]))
    retired = codes.where(ReferralCode.retired_at.is_(None)).returning(ReferralCode.id)
    values = {"retired_at": now, "retired_reason": Retirement.ERASED}
    for code_id in await session.scalars(retired.values(values), execution_options=UNSYNCHRONIZED):
        why = Retirement.ERASED.value
        record(session, Action.CODE_RETIRED, Subject.CODE, code_id, person=owner_id, why=why)
    await session.execute(codes.values(code=None, key=None), execution_options=UNSYNCHRONIZED)
    for row in rows:
        lookup.invalidate(session, row.key, None)
    return Position(rows[-1].created_at, rows[-1].id) if len(rows) == BATCH else None
