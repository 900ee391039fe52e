"""Personal data: audit events by a user, and about a user."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, bindparam, select

from goodword.actor import Actor
from goodword.audit.models import AuditEvent
from goodword.db.personal_data import Kept, PersonalData, rows_by_id


def _format(user_id: uuid.UUID, row: Row[Any]) -> Mapping[str, Any]:
    """Return an event without the identity, the client and the objects of other users."""
    by_user, about_user = row.actor_id == user_id, row.person_id == user_id
    details = json.loads(row.details)
    return {
        "at": row.created_at,
        "action": row.action,
        "by": "you" if by_user else "another person" if row.actor == Actor.USER.value else row.actor,
        "subject": row.subject,
        "subject_id": row.subject_id if about_user else None,
        "address": row.address if by_user else None,
        "client": row.client if by_user else None,
        "request_id": row.request_id if by_user else None,
        "details": {name: details[name] for name in details if about_user and not name.endswith("_id")},
    }


# Two lists, each in the order of an index. One list of both would be sorted for each page.
_table: Any = AuditEvent.__table__
_about_others = _table.c.person_id.is_distinct_from(bindparam("user_id", type_=_table.c.id.type))

PERSONAL_DATA = (
    PersonalData(
        model=AuditEvent,
        erase=Kept("Events are never deleted. A job of the erasure clears their IP addresses once sealed."),
        export={
            "audit": rows_by_id(select(_table), _table.c.person_id, _table.c.id, _format),
            "audit_of_others": rows_by_id(
                select(_table).where(_about_others), _table.c.actor_id, _table.c.id, _format
            ),
        },
    ),
)
