"""Import referrals."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import code_format
from goodword.codes.models import ReferralCode
from goodword.db.statements import one_of
from goodword.referrals.models import Referral, ReferralStatus
from goodword.transfer.fields import Refusal
from goodword.transfer.programs import Programs
from goodword.transfer.records import ReferralRecord
from goodword.transfer.rows import Deferred, Done, Outcome, Users, insert_all, load_users

MAX_DEPTH = 1_000
"""Levels above a referrer that are searched for a circle."""


async def add_referrals(
    session: AsyncSession, batch: Sequence[ReferralRecord], programs: Programs, *, lock: bool, now: datetime
) -> list[Outcome]:
    """Create the referrals of a batch that do not exist yet, and return what became of each line."""
    codes = _Codes(await _load_codes(session, batch))
    references = [one for record in batch for one in (record.referrer, record.referee) if one]
    users = await load_users(session, references, codes.owners, lock=lock)
    await codes.load_latest(session, _without_code(batch, users))
    edges = [_resolve(record, users, codes, programs) for record in batch]
    known = _Known()
    await known.load(session, [edge for edge in edges if isinstance(edge, _Edge)], batch)
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    for record, edge in zip(batch, edges, strict=True):
        if not isinstance(edge, _Edge):
            outcomes.append(edge)
            continue
        outcome = known.decide(record, edge)
        if outcome == Done.CREATED:
            rows.append(_row(record, edge, now))
        outcomes.append(outcome)
    await insert_all(session, Referral, rows)
    if rows:
        await session.execute(_count_uses(session, {row["code_id"] for row in rows}))
    return outcomes


class _Edge(NamedTuple):
    referrer: uuid.UUID
    referee: uuid.UUID
    code: uuid.UUID
    program: uuid.UUID


def _resolve(
    record: ReferralRecord, users: Users, codes: "_Codes", programs: Programs
) -> _Edge | Deferred | Refusal:
    program_id = programs.find(record.program) if record.program else None
    if record.program and program_id is None:
        return Deferred(Refusal("program", "program_unknown"))
    referee = users.find(record.referee)
    if referee is None:
        return Deferred(Refusal("referee", "user_unknown"))
    code = codes.find(record)
    if record.referrer is None:
        if code is None:
            return Deferred(Refusal("code", "code_unknown"))
        referrer_id = code.owner_id
    else:
        referrer = users.find(record.referrer)
        if referrer is None:
            return Deferred(Refusal("referrer", "user_unknown"))
        referrer_id = referrer.id
        if code is None and record.code is None and record.code_id is None:
            code = codes.latest(referrer_id, program_id)
        if code is None:
            return Deferred(Refusal("code", "code_unknown"))
    if code.owner_id != referrer_id:
        return Refusal("code", "code_of_another_user")
    if program_id not in (None, code.program_id):
        return Refusal("program", "code_of_another_program")
    if referrer_id == referee.id:
        return Refusal("referrer", "self_referral")
    return _Edge(referrer_id, referee.id, code.id, code.program_id)


def _row(record: ReferralRecord, edge: _Edge, now: datetime) -> dict[str, Any]:
    created_at = record.created_at or now
    is_confirmed = record.status == ReferralStatus.CONFIRMED
    row = {
        "created_at": created_at,
        "referrer_id": edge.referrer,
        "referee_id": edge.referee,
        "code_id": edge.code,
        "program_id": edge.program,
        "attributed_by": record.attributed_by.value,
        "status": record.status.value,
        "reason": record.reason,
        "confirmed_at": record.confirmed_at or (created_at if is_confirmed else None),
    }
    return row | ({"id": record.id} if record.id else {})


def _without_code(batch: Iterable[ReferralRecord], users: Users) -> set[uuid.UUID]:
    """Return the referrers of the lines that name no code."""
    without = (record.referrer for record in batch if record.code is None and record.code_id is None)
    return {user.id for one in without if one and (user := users.find(one))}


async def _load_codes(session: AsyncSession, batch: Sequence[ReferralRecord]) -> Sequence[Any]:
    keys = {code_format.normalise(record.code) or "" for record in batch if record.code}
    ids = {record.code_id for record in batch if record.code_id}
    query = select(ReferralCode.id, ReferralCode.key, ReferralCode.owner_id, ReferralCode.program_id)
    query = query.where(or_(one_of(session, ReferralCode.key, keys), one_of(session, ReferralCode.id, ids)))
    return (await session.execute(query)).all()


class _Codes:
    """The codes that lines name, and the latest codes of referrers."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._by_id: dict[uuid.UUID, Any] = {}
        self._by_key: dict[str, Any] = {}
        self._latest: dict[tuple[uuid.UUID, uuid.UUID | None], Any] = {}
        """By owner and program, and by owner alone."""
        for row in rows:
            self._by_id[row.id] = row
            if row.key is not None:
                self._by_key[row.key] = row

    @property
    def owners(self) -> set[uuid.UUID]:
        return {row.owner_id for row in self._by_id.values()}

    async def load_latest(self, session: AsyncSession, owners: set[uuid.UUID]) -> None:
        if owners:
            query = select(ReferralCode.id, ReferralCode.owner_id, ReferralCode.program_id).where(
                one_of(session, ReferralCode.owner_id, owners)
            )
            for row in await session.execute(query.order_by(ReferralCode.created_at, ReferralCode.id)):
                self._latest[row.owner_id, row.program_id] = self._latest[row.owner_id, None] = row

    def find(self, record: ReferralRecord) -> Any | None:
        """Return the code of a line. Its id wins over its text, which another installation may have changed."""
        if record.code_id and (row := self._by_id.get(record.code_id)):
            return row
        return self._by_key.get(code_format.normalise(record.code) or "") if record.code else None

    def latest(self, owner_id: uuid.UUID, program_id: uuid.UUID | None) -> Any | None:
        return self._latest.get((owner_id, program_id))


class _Known:
    """The referrals that exist, with those that the batch creates."""

    def __init__(self) -> None:
        self._referrers: dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID] = {}
        """By program and referee, as far as the search for circles needs them."""
        self._with_referees: set[uuid.UUID] = set()
        self._ids: set[uuid.UUID] = set()

    async def load(
        self, session: AsyncSession, edges: Sequence[_Edge], batch: Sequence[ReferralRecord]
    ) -> None:
        referees = sorted({edge.referee for edge in edges})
        referrers = sorted({edge.referrer for edge in edges})
        ids = sorted({record.id for record in batch if record.id})
        pairs = select(Referral.id, Referral.program_id, Referral.referee_id, Referral.referrer_id)
        for row in await session.execute(
            pairs.where(
                or_(one_of(session, Referral.referee_id, referees), one_of(session, Referral.id, ids))
            )
        ):
            self._referrers[row.program_id, row.referee_id] = row.referrer_id
            self._ids.add(row.id)
        query = select(Referral.referrer_id).where(one_of(session, Referral.referrer_id, referees)).distinct()
        self._with_referees.update(await session.scalars(query))
        # A circle needs a referee who has referred another user before. An export in order has none.
        if self._with_referees or set(referees) & set(referrers):
            for row in await session.execute(_ABOVE, {"referrers": referrers}):
                self._referrers[row.program_id, row.referee_id] = row.referrer_id

    def decide(self, record: ReferralRecord, edge: _Edge) -> Done | Refusal:
        referrer, referee, program = edge.referrer, edge.referee, edge.program
        if (existing := self._referrers.get((program, referee))) is not None:
            return Done.UNCHANGED if existing == referrer else Refusal("referee", "already_referred")
        if record.id is not None and record.id in self._ids:
            return Refusal("id", "id_taken")
        if referee in self._with_referees:
            above: uuid.UUID | None = referrer
            for _ in range(MAX_DEPTH):
                if above is None:
                    break
                if above == referee:
                    return Refusal("referrer", "referral_cycle")
                above = self._referrers.get((program, above))
            else:
                return Refusal("referrer", "referral_too_deep")
        self._referrers[program, referee] = referrer
        self._with_referees.add(referrer)
        if record.id is not None:
            self._ids.add(record.id)
        return Done.CREATED


def _above() -> Any:
    """Return the statement for the referrals of referrers, those of their referrers, and so on."""
    columns = (Referral.program_id, Referral.referee_id, Referral.referrer_id)
    first = select(*columns, literal(1).label("depth"))
    first = first.where(Referral.referee_id.in_(bindparam("referrers", expanding=True)))
    above = first.cte("above", recursive=True)
    further = select(*columns, above.c.depth + 1).join(
        above,
        and_(Referral.referee_id == above.c.referrer_id, Referral.program_id == above.c.program_id),
    )
    both = above.union(further.where(above.c.depth < MAX_DEPTH))
    return select(both.c.program_id, both.c.referee_id, both.c.referrer_id).distinct()


_ABOVE = _above()


def _count_uses(session: AsyncSession, codes: set[uuid.UUID]) -> Any:
    """Return the statement that counts the uses of codes, of which the file may have said less."""
    count = select(func.count()).where(Referral.code_id == ReferralCode.id).scalar_subquery()
    limited = or_(ReferralCode.max_uses.is_(None), ReferralCode.max_uses >= count)
    return (
        update(ReferralCode)
        .where(one_of(session, ReferralCode.id, codes), ReferralCode.uses < count, limited)
        .values(uses=count)
        .execution_options(synchronize_session=False)
    )
