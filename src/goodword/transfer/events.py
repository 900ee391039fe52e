"""Import events. They are history: an imported event earns nothing, and no rule is asked."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import one_of
from goodword.events.models import Event
from goodword.transfer.fields import Refusal
from goodword.transfer.programs import Programs
from goodword.transfer.reward_records import EventRecord
from goodword.transfer.rows import Deferred, Done, Outcome, insert_all, load_users
from goodword.users.models import UserStatus


async def add_events(
    session: AsyncSession, batch: Sequence[EventRecord], programs: Programs, *, lock: bool, now: datetime
) -> list[Outcome]:
    """Add the events that do not exist yet, and return what became of each line."""
    users = await load_users(session, [record.participant for record in batch], lock=lock)
    query = select(Event.id, Event.program_id, Event.source_id, Event.type, Event.participant_id).where(
        or_(
            one_of(session, Event.source_id, {record.source_id for record in batch}),
            one_of(session, Event.id, {record.id for record in batch if record.id}),
        )
    )
    found = (await session.execute(query)).all()
    known = {(row.program_id, row.source_id): (row.type, row.participant_id) for row in found}
    ids = {row.id for row in found}
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    for record in batch:
        program_id, user = programs.find(record.program), users.find(record.participant)
        if program_id is None or user is None:
            unknown = (
                ("program", "program_unknown") if program_id is None else ("participant", "user_unknown")
            )
            outcomes.append(Deferred(Refusal(*unknown)))
            continue
        same = known.get((program_id, record.source_id))
        if same is not None:
            is_same = same == (record.event_type, user.id)
            outcomes.append(Done.UNCHANGED if is_same else Refusal("source_id", "event_id_reused"))
        elif record.id in ids:
            outcomes.append(Refusal("id", "id_taken"))
        else:
            known[program_id, record.source_id] = record.event_type, user.id
            if record.id:
                ids.add(record.id)
            is_erased = user.status == UserStatus.ERASED
            rows.append(_row(record, program_id, user.id, is_erased=is_erased, now=now))
            outcomes.append(Done.CREATED)
    await insert_all(session, Event, rows)
    return outcomes


def _row(
    record: EventRecord, program_id: uuid.UUID, user_id: uuid.UUID, *, is_erased: bool, now: datetime
) -> dict[str, Any]:
    metadata = {} if is_erased else record.metadata
    row = {
        "program_id": program_id,
        "type": record.event_type,
        "participant_id": user_id,
        "source_id": record.source_id,
        "occurred_at": record.occurred_at,
        "amount_minor": record.amount_minor,
        "currency": record.currency,
        "refunds": record.refunds,
        # As `rewards.recording` writes it, so that the same event sent again is recognised.
        "details": json.dumps(metadata, ensure_ascii=False, sort_keys=True) if metadata else None,
        "outcome": record.outcome.model_dump_json() if record.outcome else None,
        "created_at": record.created_at or now,
    }
    return row | ({"id": record.id} if record.id else {})
