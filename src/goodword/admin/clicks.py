"""Clicks on the links of a program or of one code, by the host of the page with the link."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, select

from goodword.db.database import Database
from goodword.jobs.admin import MAX_COUNTED
from goodword.touches.models import Touch, TouchKind

DAYS = timedelta(days=30)
MAX_HOSTS = 100


async def by_host(
    database: Database, *, program_id: uuid.UUID, code_id: uuid.UUID | None, now: datetime
) -> Sequence[Row[Any]]:
    """Return the hosts with the most clicks in the last thirty days. The latest `MAX_COUNTED` clicks are counted."""
    if code_id is None:
        return await database.replica_rows(_OF_PROGRAM, program_id=program_id, since=now - DAYS)
    return await database.replica_rows(_OF_CODE, program_id=program_id, code_id=code_id, since=now - DAYS)


def _by_host(*conditions: ColumnElement[bool]) -> Any:
    latest = (
        select(Touch.host)
        .where(
            Touch.program_id == bindparam("program_id"),
            Touch.created_at >= bindparam("since", type_=Touch.created_at.type),
            Touch.kind == TouchKind.CLICK.value,
            *conditions,
        )
        .order_by(Touch.created_at.desc())
        .limit(MAX_COUNTED)
        .subquery()
    )
    clicks = func.count().label("clicks")
    return (
        select(latest.c.host, clicks)
        .group_by(latest.c.host)
        .order_by(clicks.desc(), latest.c.host)
        .limit(MAX_HOSTS)
    )


_OF_PROGRAM, _OF_CODE = _by_host(), _by_host(Touch.code_id == bindparam("code_id"))
