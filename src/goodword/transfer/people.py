"""Import users."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import one_of
from goodword.privacy import tombstones
from goodword.services import Services
from goodword.transfer.fields import Refusal
from goodword.transfer.macs import derived_id
from goodword.transfer.programs import Programs
from goodword.transfer.records import UserRecord
from goodword.transfer.rows import Deferred, Done, Outcome, insert_all
from goodword.users import addresses, imported_hashes
from goodword.users.models import PasswordCost, User, UserStatus

MAX_COSTS = 4
"""Kinds of imported hashes: each wrong password pays all of them."""


class _Identity(NamedTuple):
    """By what a user is recognised."""

    id: uuid.UUID | None
    external_id: str | None
    address: addresses.Address | None
    derived: tuple[uuid.UUID, ...]
    """The ids that the user may have got from an earlier import."""

    @property
    def new_id(self) -> uuid.UUID:
        return self.id or self.derived[0]


async def add_users(
    session: AsyncSession,
    services: Services,
    batch: Sequence[UserRecord],
    programs: Programs,
    *,
    administrators: bool,
    now: datetime,
) -> list[Outcome]:
    """Create the users of a batch who do not exist yet, and return what became of each line."""
    identities = [_identity(services, record) for record in batch]
    known = _Known(await _existing(session, identities))
    ids = {user_id for one in identities for user_id in (one.id, *one.derived) if user_id}
    erased = await tombstones.among(session, services, ids)
    costs = set(await session.scalars(select(PasswordCost.example)))
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    linked: list[dict[str, Any]] = []
    new_costs: set[str] = set()
    for record, identity in zip(batch, identities, strict=True):
        outcome: Outcome | dict[str, Any] = known.decide(record, identity, erased)
        if isinstance(outcome, dict):
            linked.append(outcome)
            outcome = Done.UNCHANGED
        program_id = programs.find(record.program) if record.program else None
        if outcome == Done.CREATED and record.program and program_id is None:
            outcome = Deferred(Refusal("program", "program_unknown"))
        cost = _cost(services, record.password_hash)
        if outcome == Done.CREATED and cost is not None and cost not in costs | new_costs:
            if len(costs | new_costs) >= MAX_COSTS:
                outcome = Refusal("password_hash", "password_hash_costs")
            else:
                new_costs.add(cost)
        if outcome == Done.CREATED:
            row = _row(record, identity, program_id, administrators=administrators, now=now)
            rows.append(row)
            known.add(row)
        outcomes.append(outcome)
    await insert_all(session, User, rows)
    await insert_all(
        session, PasswordCost, [{"example": cost, "created_at": now} for cost in sorted(new_costs)]
    )
    if linked:
        await (await session.connection()).execute(_LINK, linked)
    for row in rows:
        if row["status"] == UserStatus.ERASED:
            await tombstones.record_tombstone(session, services, row["id"])
    return outcomes


def _identity(services: Services, record: UserRecord) -> _Identity:
    address = addresses.parse(record.email) if record.email else None
    derived = []
    if record.external_id:
        derived.append(derived_id(services, "external_id", record.external_id))
    if address:
        derived.append(derived_id(services, "email", address.key))
    return _Identity(record.id, record.external_id, address, tuple(derived))


async def _existing(session: AsyncSession, identities: Sequence[_Identity]) -> Sequence[Any]:
    query = select(User.id, User.external_id, User.email_key, User.status)
    ids = {one.new_id for one in identities}
    conditions = [one_of(session, User.id, ids)]
    if external := {one.external_id for one in identities if one.external_id}:
        conditions.append(one_of(session, User.external_id, external))
    if keys := {one.address.key for one in identities if one.address}:
        conditions.append(one_of(session, User.email_key, keys))
    return (await session.execute(query.where(or_(*conditions)))).all()


class _Known:
    """The users that exist, with those that the batch creates."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._ids: dict[uuid.UUID, Any] = {}
        self._external: dict[str, Any] = {}
        self._keys: dict[str, Any] = {}
        for row in rows:
            self.add(row._asdict())

    def add(self, row: dict[str, Any]) -> None:
        self._ids[row["id"]] = row
        if row["external_id"]:
            self._external[row["external_id"]] = row
        if row["email_key"]:
            self._keys[row["email_key"]] = row

    def decide(
        self, record: UserRecord, identity: _Identity, erased: set[uuid.UUID]
    ) -> Done | Refusal | dict[str, Any]:
        """Return what to do with a line: a user whose external id to set, or the outcome."""
        found = self._find(identity)
        if len(found) > 1:
            return Refusal("email", "identity_conflict")
        if record.status == UserStatus.ERASED:
            user = next(iter(found.values()), None)
            if user is None:
                return Done.CREATED
            return Done.UNCHANGED if user["status"] == UserStatus.ERASED else Refusal("status", "user_exists")
        if erased & {identity.id, *identity.derived}:
            return Refusal("id" if record.id else "email", "user_erased")
        if not found:
            return Done.CREATED
        (user,) = found.values()
        if user["status"] == UserStatus.ERASED:
            return Refusal("id", "user_erased")
        if record.id and record.id != user["id"]:
            return Refusal("email", "email_taken")
        if not record.external_id or record.external_id == user["external_id"]:
            return Done.UNCHANGED
        if user["external_id"]:
            return Refusal("external_id", "external_id_differs")
        user["external_id"] = record.external_id
        self._external[record.external_id] = user
        return {"user_id": user["id"], "value": record.external_id}

    def _find(self, identity: _Identity) -> dict[uuid.UUID, Any]:
        rows = [self._ids.get(identity.new_id), self._external.get(identity.external_id or "")]
        if identity.address:
            rows.append(self._keys.get(identity.address.key))
        return {row["id"]: row for row in rows if row}


def _cost(services: Services, encoded: str | None) -> str | None:
    """Return the cost of a hash, or None if it is as costly as our own."""
    if encoded is None or services.passwords.has_own_cost(encoded):
        return None
    return imported_hashes.parse(encoded).cost


def _row(
    record: UserRecord,
    identity: _Identity,
    program_id: uuid.UUID | None,
    *,
    administrators: bool,
    now: datetime,
) -> dict[str, Any]:
    created_at, address = record.created_at or now, identity.address
    reported = addresses.parse(record.reported_email) if record.reported_email else None
    is_erased = record.status == UserStatus.ERASED
    is_verified = not is_erased and (record.email_verified or record.verified_at is not None)
    return {
        "id": identity.new_id,
        "created_at": created_at,
        "external_id": record.external_id,
        "program_id": program_id,
        "reported_email": reported.text if reported else None,
        "reported_email_key": reported.key if reported else None,
        "reported_email_canonical": reported.canonical if reported else None,
        "signed_up_at": record.signed_up_at,
        "email": address.text if address else None,
        "email_key": address.key if address else None,
        "email_canonical": address.canonical if address else None,
        "password_hash": None if is_erased else record.password_hash,
        "first_name": record.first_name,
        "last_name": record.last_name,
        "status": record.status.value,
        "is_admin": administrators and record.administrator and not is_erased,
        "language": record.language,
        "verified_at": (record.verified_at or created_at) if is_verified else None,
        "erased_at": (record.erased_at or now) if is_erased else None,
    }


_LINK = update(User.__table__).where(User.id == bindparam("user_id")).values(external_id=bindparam("value"))  # type: ignore[arg-type]
