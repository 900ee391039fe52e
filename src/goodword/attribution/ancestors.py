"""The chain of referrers above a person."""

import uuid
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.referrals.models import Referral


async def referrers_above(session: AsyncSession, user_id: uuid.UUID, program_id: uuid.UUID) -> set[uuid.UUID]:
    """Return who referred a person in a program, directly or not."""
    return set(await session.scalars(_ABOVE, {"user_id": user_id, "program_id": program_id}))


def _above() -> Any:
    in_program = Referral.program_id == bindparam("program_id")
    above = (
        select(Referral.referrer_id)
        .where(Referral.referee_id == bindparam("user_id"), in_program)
        .cte("above", recursive=True)
    )
    # UNION, not UNION ALL: the walk ends even if there is a circle.
    above = above.union(
        select(Referral.referrer_id).where(Referral.referee_id == above.c.referrer_id, in_program)
    )
    return select(above.c.referrer_id)


_ABOVE = _above()
