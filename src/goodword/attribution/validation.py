"""Whether a code can be used by a person, and why not."""

import uuid
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution.reasons import Reason
from goodword.attribution.schemas import CodeParticipant, CodeReferrer, CodeValidate, CodeValidity
from goodword.attribution.service import examine, make_person
from goodword.codes import code_format
from goodword.codes.models import ReferralCode
from goodword.programs.service import ProgramNotFound
from goodword.services import Services
from goodword.users.models import User


async def validate(
    session: AsyncSession,
    services: Services,
    body: CodeValidate,
    *,
    limit: uuid.UUID | None,
    now: datetime,
) -> CodeValidity:
    """Validate a code for a server. `limit` is the only program of its key. Raises `ProgramNotFound`."""
    within = limit
    if body.program is not None:
        program = await services.programs.by_slug(body.program)
        if program is None or limit not in {None, program.id}:
            raise ProgramNotFound
        within = program.id
    user = await _find(session, body.participant, limit) if body.participant is not None else None
    person = make_person(services, user, email_key=None, is_new=user is None)
    key = code_format.normalise(body.code) or ""
    found = await examine(session, key, None, person, within=within, now=now)
    reason = Reason.ALREADY_REFERRED if found.is_repeated else found.reason
    validity = CodeValidity(usable=reason is None, reason=reason)
    if found.place is None:
        return validity
    code, program, owner = found.place
    referrer = CodeReferrer(display_name=owner.display_name, external_id=owner.external_id)
    shown = {"code": code.code, "expires_at": code.expires_at, "program": program.slug, "referrer": referrer}
    return validity.model_copy(update=shown)


async def is_in_program(session: AsyncSession, services: Services, body: CodeValidate) -> bool:
    """Return whether the code belongs to the program that `body` names."""
    program = await services.programs.by_slug(body.program or "")
    place = {"code_key": code_format.normalise(body.code)}
    return program is not None and await session.scalar(_PROGRAM, place) == program.id


async def _find(session: AsyncSession, participant: CodeParticipant, limit: uuid.UUID | None) -> User | None:
    """Return the participant, unless a key of another program has reported the person."""
    if participant.external_id is not None:
        user = await session.scalar(_BY_EXTERNAL_ID, {"external_id": participant.external_id})
    else:
        user = await session.scalar(_BY_ID, {"user_id": participant.id})
    return user if user is not None and limit in {None, user.program_id} else None


_BY_EXTERNAL_ID = select(User).where(User.external_id == bindparam("external_id"))
_BY_ID = select(User).where(User.id == bindparam("user_id"), User.external_id.is_not(None))
_PROGRAM = select(ReferralCode.program_id).where(ReferralCode.key == bindparam("code_key"))
