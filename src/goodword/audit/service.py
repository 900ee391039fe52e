"""Record events in the audit log, in the transaction of the change, and list them."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import RowMapping, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword import actor
from goodword.audit.actions import DETAILS, Action, Subject
from goodword.audit.models import AuditEvent
from goodword.db import transaction_hooks
from goodword.db.base import insert_statement

_RANDOM = (1 << 80) - 1
_TABLE: Any = AuditEvent.__table__
_LATER = frozenset({"address_mac", "sequence", "hash"})
"""The columns of the seal."""


def record(
    session: AsyncSession,
    action: Action,
    subject: Subject,
    subject_id: uuid.UUID | None = None,
    *,
    person: uuid.UUID | None = None,
    **details: str | int,
) -> None:
    """Record an event. It is inserted just before the commit, with the current `ActorContext`.

    `person` is the user who owns the subject. Raises `ValueError` if a detail is not in `actions.DETAILS`.
    """
    row = _row(action, subject, subject_id, person, details)
    transaction_hooks.insert_before_commit(session, _TABLE, row)


async def record_change(
    session: AsyncSession,
    statement: Any,
    values: Mapping[str, object],
    action: Action,
    subject: Subject,
    *,
    person: uuid.UUID | None = None,
    **details: str | int,
) -> RowMapping | None:
    """Run a statement that returns the row it changes, and record an event about this row. Return the row.

    `statement` returns the id of the row among others, and no row if it changes none: then no event is recorded. On
    PostgreSQL it inserts the event too, which saves a round trip. Otherwise this is `record`.
    """
    row = _row(action, subject, None, person, details)
    if session.get_bind().dialect.name == "postgresql":
        both = _with_event(statement)
        values = {**values, **{f"event_{name}": value for name, value in row.items()}}
        return (await session.execute(both, values)).mappings().one_or_none()
    changed: RowMapping | None = (await session.execute(statement, values)).mappings().one_or_none()
    if changed is not None:
        transaction_hooks.insert_before_commit(session, _TABLE, row | {"subject_id": changed["id"]})
    return changed


@cache
def _with_event(statement: Any) -> Any:
    changed = statement.cte("changed")
    names = [column.key for column in _TABLE.columns if column.key not in _LATER]
    columns = [
        changed.c.id if name == "subject_id" else bindparam(f"event_{name}", type_=_TABLE.c[name].type)
        for name in names
    ]
    recorded = insert_statement(_TABLE).from_select(names, select(*columns)).cte("recorded")
    return select(changed).add_cte(recorded)


def _row(
    action: Action,
    subject: Subject,
    subject_id: uuid.UUID | None,
    person: uuid.UUID | None,
    details: Mapping[str, str | int],
) -> dict[str, Any]:
    unknown = details.keys() - DETAILS.get(action, frozenset())
    if unknown:
        raise ValueError(f"{action} has no details {unknown}")
    by = actor.current_context()
    now = by.clock()
    return {
        "id": id_at(now),
        "created_at": now,
        "action": action.value,
        "actor": by.actor.value,
        "actor_id": by.actor_id,
        "person_id": subject_id if subject is Subject.USER else person,
        "subject": subject.value,
        "subject_id": subject_id,
        "client": by.client,
        "request_id": by.request_id,
        "address": by.address,
        "details": json.dumps(details, sort_keys=True, separators=(",", ":")),
    }


def first_id(moment: datetime, *, random: int = 0) -> uuid.UUID:
    """Return the smallest UUIDv7 (RFC 9562 §5.7) of the millisecond, or one of it with `random` bits."""
    return uuid.UUID(int=max(int(moment.timestamp() * 1000), 0) << 80 | random)


def id_at(moment: datetime) -> uuid.UUID:
    """Return a new UUIDv7 of the millisecond."""
    return first_id(moment, random=uuid7().int & _RANDOM)


async def list_events(
    session: AsyncSession,
    *,
    user_id: uuid.UUID | None = None,
    action: Action | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: uuid.UUID | None = None,
    limit: int,
) -> Sequence[AuditEvent]:
    """Return up to `limit` + 1 events, the latest first. `user_id` selects those by or about a user."""
    query = select(AuditEvent)
    if user_id is not None:
        query = query.where(or_(AuditEvent.actor_id == user_id, AuditEvent.person_id == user_id))
    if action is not None:
        query = query.where(AuditEvent.action == action)
    if since is not None:
        query = query.where(AuditEvent.id >= first_id(since))
    if until is not None:
        query = query.where(AuditEvent.id < first_id(until))
    if after is not None:
        query = query.where(AuditEvent.id < after)
    return (await session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit + 1))).all()
