"""Which participants and programs an API key reaches."""

import uuid
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.errors import Conflict, NotFound
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program
from goodword.programs.service import ProgramNotFound
from goodword.services import Services
from goodword.users.models import User


class ParticipantNotFound(NotFound):
    code, detail = "participant_not_found", "There is no participant with this external id."


class ExternalIdTaken(Conflict):
    code = "external_id_taken"
    detail = "A key of another program has reported a participant with this external id."


class ParticipantDisabled(Conflict):
    code = "participant_disabled"
    detail = "An administrator has disabled this person. Only reading and erasing are possible."


class ParticipantAdministers(Conflict):
    code = "participant_administers"
    detail = "This person is an administrator here. Only another administrator can erase the account."


@dataclass(frozen=True, slots=True)
class Scope:
    """What a call reaches: the participants of its API key, and one program."""

    program: Program
    limit: uuid.UUID | None
    """The only program that the key can reach. None: all programs."""
    named: bool
    """Whether the key or the body names the program."""

    @property
    def within(self) -> uuid.UUID | None:
        """The only program whose codes count. None: that of the code."""
        return self.program.id if self.named else None


async def scope_of(services: Services, limit: uuid.UUID | None, slug: str | None) -> Scope:
    """Return the scope of a call by a key with this limit. Raises `ProgramNotFound`, also for another key's program."""
    if slug is None:
        program = await services.programs.get(limit or DEFAULT_PROGRAM_ID)
        return Scope(program, limit, named=limit is not None)
    found = await services.programs.by_slug(slug)
    if found is None or limit not in {None, found.id}:
        raise ProgramNotFound
    return Scope(found, limit, named=True)


async def find(session: AsyncSession, external_id: str, limit: uuid.UUID | None) -> User:
    """Return the participant. Raises `ParticipantNotFound`, also for those of another program's key."""
    user = await session.scalar(FIND, {"external_id": external_id})
    if user is None or not _is_visible(user, limit):
        raise ParticipantNotFound
    return user


async def lock(
    session: AsyncSession, external_id: str, limit: uuid.UUID | None, *, even_disabled: bool = False
) -> User:
    """Return the participant, locked. Raises `ParticipantNotFound` and `ParticipantDisabled`."""
    user = await session.scalar(LOCKED, {"external_id": external_id})
    if user is None or not _is_visible(user, limit):
        raise ParticipantNotFound
    if not even_disabled and not user.is_active:
        raise ParticipantDisabled
    return user


def check(user: User, limit: uuid.UUID | None) -> None:
    """Raise `ExternalIdTaken` or `ParticipantDisabled` if a key may not change this participant."""
    if not _is_visible(user, limit):
        raise ExternalIdTaken
    if not user.is_active:
        raise ParticipantDisabled


def _is_visible(user: User, limit: uuid.UUID | None) -> bool:
    return limit in {None, user.program_id}


FIND = (
    select(User).where(User.external_id == bindparam("external_id")).execution_options(populate_existing=True)
)
LOCKED = FIND.with_for_update(key_share=True)
