"""The touches of a person, and which of them counts."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution import reasons
from goodword.attribution.reasons import Reason
from goodword.codes.models import ReferralCode
from goodword.programs.models import Attribution, Program
from goodword.touches.models import Touch
from goodword.users.models import User


class Touched(NamedTuple):
    """A touch with its code, the program and the owner of the code."""

    id: uuid.UUID
    created_at: datetime
    code: ReferralCode
    program: Program
    owner: User

    def reason(self) -> Reason | None:
        """Return why the code could not be used when the touch happened, or None."""
        code, moment = self.code, self.created_at
        if code.activated_at is None or moment < code.activated_at:
            return Reason.CODE_UNKNOWN
        if moment >= code.expires_at:
            return Reason.CODE_EXPIRED
        return Reason.CODE_RETIRED if code.retired_at is not None and moment >= code.retired_at else None

    def is_within_window(self, joined_at: datetime) -> bool:
        return joined_at - self.created_at <= timedelta(seconds=self.program.attribution_window)


async def load(
    session: AsyncSession, ids: Sequence[uuid.UUID], *, within: uuid.UUID | None, joined_at: datetime
) -> list[Touched]:
    """Return the touches within the window of their program, oldest first. Other ids are ignored."""
    rows = await session.execute(_TOUCHES, {"ids": list(ids)})
    touches = [Touched(*row) for row in rows]
    return [
        touch for touch in touches if touch.is_within_window(joined_at) and within in {None, touch.program.id}
    ]


def choose(touches: Sequence[Touched], *, now: datetime, joined_at: datetime) -> Touched | None:
    """Return the touch that counts: the first or the last, as the program of the latest touch says.

    Those whose code can be used, or ended within the grace, come before the others.
    """
    if not touches:
        return None
    program = touches[-1].program
    touches = [touch for touch in touches if touch.program.id == program.id]
    counting = [touch for touch in touches if _reason(touch, now=now, joined_at=joined_at) is None]
    candidates = counting or touches
    return candidates[0 if program.attribution == Attribution.FIRST_TOUCH else -1]


def ended_since(program: Program, joined_at: datetime) -> datetime:
    """Return when a code that someone has touched may have expired at the earliest."""
    return joined_at - timedelta(seconds=program.late_entry_grace)


def _reason(touch: Touched, *, now: datetime, joined_at: datetime) -> Reason | None:
    ended = ended_since(touch.program, joined_at)
    return touch.reason() or reasons.of_code(
        touch.code, touch.program, touch.owner, now=now, ended_since=ended
    )


_TOUCHES = (
    select(Touch.id, Touch.created_at, ReferralCode, Program, User)
    .join(ReferralCode, ReferralCode.id == Touch.code_id)
    .join(Program, Program.id == Touch.program_id)
    .join(User, User.id == ReferralCode.owner_id)
    .where(Touch.id.in_(bindparam("ids", expanding=True)))
    .order_by(Touch.created_at, Touch.id)
    .execution_options(populate_existing=True)
)
