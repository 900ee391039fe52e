"""What waits for the end of a transaction: rows that are written just before the commit, and what follows it."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from sqlalchemy import Executable, Table, event, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

_ROWS, _FOLLOWING = "rows for the end", "what follows the commit"
_Waiting = list[tuple[SessionTransaction | None, Table, dict[str, Any]]]


def insert_at_end(session: AsyncSession, table: Table, row: dict[str, Any]) -> None:
    """Insert a row just before the commit, together with the others of its table: one statement for all.

    With a savepoint that is rolled back its rows go as well.
    """
    waiting: _Waiting | None = session.info.get(_ROWS)
    if waiting is None:
        waiting = session.info[_ROWS] = []
        event.listen(session.sync_session, "after_soft_rollback", _drop)
    waiting.append((session.sync_session.get_nested_transaction(), table, row))


def follow(session: AsyncSession, work: Callable[[], Awaitable[None]]) -> None:
    """Do something once this transaction is committed, and only then. It sees to its own failures."""
    session.info.setdefault(_FOLLOWING, []).append(work)


async def write(session: AsyncSession) -> None:
    """Insert what waits: just before the commit."""
    waiting: _Waiting | None = session.info.get(_ROWS)
    if not waiting:
        return
    rows: dict[Table, list[dict[str, Any]]] = {}
    for _, table, row in waiting:
        rows.setdefault(table, []).append(row)
    waiting.clear()
    connection = await session.connection()
    for table, together in rows.items():
        await connection.execute(_insert(table), together)


async def following(session: AsyncSession) -> None:
    """Do what follows: just after the commit."""
    for work in session.info.pop(_FOLLOWING, ()):
        await work()


@cache
def _insert(table: Table) -> Executable:
    return insert(table)


def _drop(session: Session, ended: SessionTransaction) -> None:
    waiting: _Waiting = session.info[_ROWS]
    waiting[:] = [one for one in waiting if not _is_within(one[0], ended)]


def _is_within(savepoint: SessionTransaction | None, ended: SessionTransaction) -> bool:
    while savepoint is not None:
        if savepoint is ended:
            return True
        savepoint = savepoint.parent
    return not ended.nested
