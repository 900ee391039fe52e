"""Up to 100 participants in one transaction, with few statements for people who are new or bring no code."""

import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution import service as attribution
from goodword.codes import bulk, code_format
from goodword.codes.bulk import Wanted
from goodword.codes.models import ReferralCode, usable
from goodword.db.database import persistent
from goodword.db.statements import inserting_absent, is_unique_violation, one_of
from goodword.errors import AppError, Conflict
from goodword.participants import access, service
from goodword.participants.access import Scope
from goodword.participants.schemas import ParticipantRead, ParticipantWrite, Warnings
from goodword.participants.state import REFERRALS, State, preferred, read, referral_of
from goodword.referrals.models import Referral
from goodword.services import Services
from goodword.touches.models import Touch
from goodword.users.models import User


@dataclass(frozen=True, slots=True)
class Item:
    """A valid item of a batch."""

    external_id: str
    body: ParticipantWrite
    scope: Scope


class Reported(NamedTuple):
    """A participant as the item left it: a later item of the batch can be about the same person."""

    participant: ParticipantRead
    is_new: bool


Result = Reported | AppError


async def upsert(session: AsyncSession, services: Services, items: Mapping[int, Item]) -> dict[int, Result]:
    """Create or change participants, by their places in the batch. An item that fails harms no other.

    People who are named once are handled together, unless they exist and bring a code or touch. The others are handled
    one by one in their order.
    """
    times = Counter(item.external_id for item in items.values())
    existing = await _lock(session, items.values())
    together = {
        place: item
        for place, item in items.items()
        if times[item.external_id] == 1
        and (item.external_id not in existing or service.claim_of(item.body) is None)
    }
    results = await _upsert_together(session, services, together, existing)
    for place, item in items.items():
        if place not in results:
            results[place] = await _upsert_alone(session, services, item)
    return results


async def _lock(session: AsyncSession, items: Collection[Item]) -> dict[str, User]:
    """Lock the people of a batch who exist, and the owners of the codes. Return the people by external id.

    All rows are locked in one order, so that batches with the same people and codes wait for each other in turn.
    """
    names = [item.external_id for item in items]
    claims = [claim for item in items if (claim := service.claim_of(item.body))]
    owners: set[uuid.UUID] = set()
    if claims:
        keys = {code_format.normalise(claim.code) or "" for claim in claims if claim.code is not None}
        touches = {touch for claim in claims for touch in claim.touch_ids}
        owners = set(await session.scalars(_owners(session, keys, touches)))
        if await session.scalar(select(User.id).where(one_of(session, User.external_id, names)).limit(1)):
            await attribution.serialize(session)
    own = one_of(session, User.external_id, names)
    query = select(User).where(or_(own, one_of(session, User.id, owners)) if owners else own)
    rows = await session.scalars(query.order_by(User.id).with_for_update(key_share=True))
    return {user.external_id: user for user in rows if user.external_id is not None}


def _owners(session: AsyncSession, keys: set[str], touches: set[uuid.UUID]) -> Any:
    by_key = select(ReferralCode.owner_id).where(one_of(session, ReferralCode.key, keys))
    if not touches:
        return by_key
    touched = select(Touch.code_id).where(one_of(session, Touch.id, touches))
    return by_key.union(select(ReferralCode.owner_id).where(ReferralCode.id.in_(touched)))


async def _upsert_alone(session: AsyncSession, services: Services, item: Item) -> Result:
    try:
        async with session.begin_nested():
            done = await service.upsert(session, services, item.external_id, item.body, item.scope)
            return Reported(read(services, done.state, done.warnings), done.is_new)
    except AppError as error:
        return error
    except DBAPIError as error:
        if not is_unique_violation(error):
            raise
        return Conflict()


async def _upsert_together(
    session: AsyncSession, services: Services, items: Mapping[int, Item], existing: Mapping[str, User]
) -> dict[int, Result]:
    """Handle people who are named once. Leave out those whom a concurrent call has just made."""
    now = services.clock()
    results: dict[int, Result] = {}
    new, known = dict[int, Item](), dict[int, User]()
    for place, item in items.items():
        user = existing.get(item.external_id)
        try:
            service.check_time(item.body, now)
            if user is None:
                new[place] = item
                continue
            access.check(user, item.scope.limit)
            known[place] = user
        except AppError as error:
            results[place] = error
    users = await _insert(session, services, new, now=now)
    for place, user in known.items():
        await service.apply(session, user, service.changes(items[place].body, now))
    states, warnings = await _join(
        session, services, {place: (users[place], items[place]) for place in users}
    )
    within = {place: (user, items[place].scope.within) for place, user in known.items()}
    for place, state in (await _load(session, within, now=now)).items():
        code = state.code or await service.give_first_code(
            session, services, state.user, items[place].scope, now=now
        )
        states[place] = state._replace(code=code)
    in_use = await _addresses_in_use(session, [state.user for state in states.values()])
    for place, state in states.items():
        owner = in_use.get(state.user.reported_email_key or "")
        is_in_use = items[place].body.email is not None and owner not in {None, state.user.id}
        found = [*warnings.get(place, ()), *([Warnings.EMAIL_IN_USE] if is_in_use else ())]
        results[place] = Reported(read(services, state, found), place in users)
    return results


async def _insert(
    session: AsyncSession, services: Services, items: Mapping[int, Item], *, now: datetime
) -> dict[int, User]:
    """Insert people, and return those whom no concurrent call has made."""
    if not items:
        return {}
    places = sorted(items, key=lambda place: items[place].external_id)  # one order, against deadlocks
    rows = [
        service.new_row(items[place].external_id, items[place].body, items[place].scope, now)
        for place in places
    ]
    statement = inserting_absent(User, session.get_bind().dialect.name).returning(User.id)
    inserted = set(await session.scalars(statement, rows))
    users = {}
    for place, row in zip(places, rows, strict=True):
        if row["id"] in inserted:
            users[place] = persistent(session, User, row)
            await service.record_new(session, services, users[place])
    return users


async def _join(
    session: AsyncSession, services: Services, people: Mapping[int, tuple[User, Item]]
) -> tuple[dict[int, State], dict[int, list[Warnings]]]:
    """Attribute new people, and give them codes."""
    joined = {}
    for place, (user, item) in people.items():
        outcome = await service.attribute(session, services, user, item.body, item.scope, is_new=True)
        joined[place] = await service.record_outcome(
            session, services, user, item.scope, outcome, now=services.clock()
        )
    wanted = [
        Wanted(user.id, program.id, program.code_lifetime)
        for place, (user, _) in people.items()
        if service.gives_codes(program := joined[place].program) and program.code_lifetime is not None
    ]
    codes = await bulk.give(session, services, wanted, now=services.clock())
    states = {
        place: State(user, codes.get(user.id), joined[place].referral) for place, (user, _) in people.items()
    }
    return states, {place: one.warnings for place, one in joined.items()}


async def _load(
    session: AsyncSession, people: Mapping[int, tuple[User, uuid.UUID | None]], *, now: datetime
) -> dict[int, State]:
    """Return people with their codes and referrals in a program."""
    if not people:
        return {}
    ids = [user.id for user, _ in people.values()]
    own = select(ReferralCode).where(one_of(session, ReferralCode.owner_id, ids), usable(now))
    codes: dict[uuid.UUID, list[ReferralCode]] = {}
    for code in await session.scalars(own):
        codes.setdefault(code.owner_id, []).append(code)
    rows: dict[uuid.UUID, list[Any]] = {}
    for row in await session.execute(REFERRALS.where(one_of(session, Referral.referee_id, ids))):
        rows.setdefault(row.Referral.referee_id, []).append(row)
    states = {}
    for place, (user, within) in people.items():
        own_row = preferred(rows.get(user.id, ()), within, lambda row: row.Referral)
        own_code = preferred(codes.get(user.id, ()), within)
        states[place] = State(user, own_code, referral_of(own_row) if own_row else None)
    return states


async def find(
    session: AsyncSession, people: Mapping[int, tuple[str, uuid.UUID | None]], *, now: datetime
) -> dict[int, State]:
    """Return the participants with these external ids, each with the code and the referral in a program."""
    names = [external_id for external_id, _ in people.values()]
    users = {
        user.external_id: user
        for user in await session.scalars(select(User).where(one_of(session, User.external_id, names)))
    }
    found = {
        place: (users[external_id], within)
        for place, (external_id, within) in people.items()
        if external_id in users
    }
    return await _load(session, found, now=now)


async def _addresses_in_use(session: AsyncSession, people: Sequence[User]) -> Mapping[str, uuid.UUID]:
    """Return the accounts with an address that was reported of these people, by the key of the address."""
    keys = {user.reported_email_key for user in people if user.reported_email_key is not None}
    if not keys:
        return {}
    rows = await session.execute(select(User.email_key, User.id).where(one_of(session, User.email_key, keys)))
    return {row.email_key: row.id for row in rows}
