"""Import referral codes."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import code_format, lookup
from goodword.codes.models import ACTIVE, ReferralCode, Retirement
from goodword.codes.terms import MAX_TERM
from goodword.db.statements import one_of
from goodword.errors import Unprocessable
from goodword.services import Services
from goodword.transfer.fields import Refusal
from goodword.transfer.macs import code_mac, read_mac
from goodword.transfer.programs import Programs
from goodword.transfer.records import CodeRecord
from goodword.transfer.rows import Deferred, Done, Outcome, insert_all, load_users
from goodword.users.models import UserStatus


async def add_codes(
    session: AsyncSession,
    services: Services,
    batch: Sequence[CodeRecord],
    programs: Programs,
    *,
    lock: bool,
    now: datetime,
) -> list[Outcome]:
    """Create the codes of a batch that do not exist yet, and return what became of each line."""
    users = await load_users(session, [record.owner for record in batch], lock=lock)
    checked = [_check(services, record, now) for record in batch]
    owners = [users.find(record.owner) for record in batch]
    known = await _Known.load(session, batch, checked, {owner.id for owner in owners if owner})
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    for record, mac, owner in zip(batch, checked, owners, strict=True):
        if isinstance(mac, Refusal):
            outcomes.append(mac)
            continue
        if owner is None:
            outcomes.append(Deferred(Refusal("owner", "user_unknown")))
            continue
        if (owner.status == UserStatus.ERASED) != (record.code is None):
            outcomes.append(Refusal("owner", "user_erased" if record.code else "user_not_erased"))
            continue
        program_id = programs.find(record.program)
        if program_id is None:
            outcomes.append(Deferred(Refusal("program", "program_unknown")))
            continue
        row = _row(record, owner.id, program_id, mac, now)
        if isinstance(row, Refusal):
            outcomes.append(row)
            continue
        outcome = known.decide(row, given_id=record.id is not None)
        if outcome == Done.CREATED:
            rows.append(row)
            # Negative answers are cached.
            lookup.invalidate(session, row["key"], owner.email_key)
        outcomes.append(outcome)
    await insert_all(session, ReferralCode, rows)
    return outcomes


def _check(services: Services, record: CodeRecord, now: datetime) -> bytes | Refusal:
    """Return the keyed hash of the code, by which it is recognised."""
    if record.code is None:
        mac = read_mac(services, record.mac or "")
        return mac if mac is not None else Refusal("mac", "mac_of_another_secret")
    key = code_format.normalise_part(record.code)
    if not code_format.CHOSEN.fullmatch(record.code) or key != code_format.normalise(record.code):
        return Refusal("code", "code_invalid")
    if record.kind == "chosen":
        try:
            code_format.validate_chosen(record.code, brand=services.settings.brand_name)
        except Unprocessable as error:
            return Refusal("code", error.code)
    if record.expires_at > now + MAX_TERM:
        return Refusal("expires_at", "term_too_long")
    return code_mac(services, key)


def _row(
    record: CodeRecord, owner_id: uuid.UUID, program_id: uuid.UUID, mac: bytes, now: datetime
) -> dict[str, Any] | Refusal:
    created_at = record.created_at or min(now, record.activated_at or now)
    if record.created_at is None and created_at >= record.expires_at:
        created_at = record.expires_at.replace(microsecond=0) - MAX_TERM  # it has expired before the import
    if created_at >= record.expires_at:
        return Refusal("expires_at", "term_invalid")
    row: dict[str, Any] = {
        "created_at": created_at,
        "owner_id": owner_id,
        "program_id": program_id,
        "code": record.code,
        "key": code_format.normalise(record.code) if record.code else None,
        "key_mac": mac,
        "kind": record.kind,
        "expires_at": record.expires_at,
        "activated_at": (record.activated_at or created_at) if record.active else record.activated_at,
        "retired_at": record.retired_at,
        "retired_reason": None,
        "deleted_at": record.deleted_at,
        "max_uses": record.max_uses,
        "uses": record.uses,
        "discoverable": record.discoverable,
    }
    if record.retired_at is not None:
        row["retired_reason"] = (record.retired_reason or Retirement.REPLACED).value
    elif record.code is None:
        row |= {"retired_at": now, "retired_reason": Retirement.ERASED.value}
    return row | ({"id": record.id} if record.id else {})


class _Known:
    """The codes that exist, with those that the batch creates."""

    def __init__(self) -> None:
        self._owner_by_mac: dict[bytes, uuid.UUID] = {}
        self._ids: set[uuid.UUID] = set()
        self._with_active: set[tuple[uuid.UUID, uuid.UUID]] = set()
        """The owners and programs of active codes."""

    @classmethod
    async def load(
        cls,
        session: AsyncSession,
        batch: Sequence[CodeRecord],
        checked: Sequence[bytes | Refusal],
        owners: set[uuid.UUID],
    ) -> "_Known":
        known = cls()
        macs = sorted({mac for mac in checked if isinstance(mac, bytes)})
        ids = sorted({record.id for record in batch if record.id})
        query = select(ReferralCode.id, ReferralCode.key_mac, ReferralCode.owner_id)
        found = await session.execute(
            query.where(
                or_(one_of(session, ReferralCode.key_mac, macs), one_of(session, ReferralCode.id, ids))
            )
        )
        for row in found:
            known._owner_by_mac[row.key_mac] = row.owner_id
            known._ids.add(row.id)
        active = select(ReferralCode.owner_id, ReferralCode.program_id)
        active = active.where(one_of(session, ReferralCode.owner_id, owners), ACTIVE)
        known._with_active.update((owner, program) for owner, program in await session.execute(active))
        return known

    def decide(self, row: dict[str, Any], *, given_id: bool) -> Done | Refusal:
        if (owner := self._owner_by_mac.get(row["key_mac"])) is not None:
            return Done.UNCHANGED if owner == row["owner_id"] else Refusal("code", "code_taken")
        if given_id and row["id"] in self._ids:
            return Refusal("id", "id_taken")
        if row["activated_at"] is not None and row["retired_at"] is None:
            pair = row["owner_id"], row["program_id"]
            if pair in self._with_active:
                return Refusal("owner", "active_code_exists")
            self._with_active.add(pair)
        self._owner_by_mac[row["key_mac"]] = row["owner_id"]
        if given_id:
            self._ids.add(row["id"])
        return Done.CREATED
