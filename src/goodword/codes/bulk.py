"""Codes for many new owners at once."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import changes, code_format
from goodword.codes.models import ReferralCode
from goodword.db.database import persistent
from goodword.db.statements import inserting_absent, with_defaults
from goodword.services import Services


class Wanted(NamedTuple):
    owner_id: uuid.UUID
    program_id: uuid.UUID
    lifetime: int
    """In seconds."""


async def give(
    session: AsyncSession, services: Services, wanted: Iterable[Wanted], *, now: datetime
) -> Mapping[uuid.UUID, ReferralCode]:
    """Give generated, active codes to owners whom this transaction has inserted. Return the codes by owner."""
    given: dict[uuid.UUID, ReferralCode] = {}
    missing = {one.owner_id: one for one in wanted}
    dialect = session.get_bind().dialect.name
    statement = inserting_absent(ReferralCode, dialect).returning(ReferralCode.owner_id)
    while missing:
        rows = [_row(services, one, now) for one in missing.values()]
        # A random code that was issued before is not inserted, and another is generated.
        inserted = set(await session.scalars(statement, rows))
        for row in rows:
            if row["owner_id"] in inserted:
                given[row["owner_id"]] = persistent(session, ReferralCode, row)
                details: dict[str, str | int] = {"kind": row["kind"], "active": True}
                record(
                    session, Action.CODE_ISSUED, Subject.CODE, row["id"], person=row["owner_id"], **details
                )
                await changes.publish_created(session, services, given[row["owner_id"]], now=now)
                del missing[row["owner_id"]]
    return given


def _row(services: Services, one: Wanted, now: datetime) -> dict[str, Any]:
    values = {
        "owner_id": one.owner_id,
        "program_id": one.program_id,
        "kind": "generated",
        "created_at": now,
        "activated_at": now,
        "expires_at": now + timedelta(seconds=one.lifetime),
    }
    return with_defaults(ReferralCode, values | code_format.columns(services, code_format.generate()))
