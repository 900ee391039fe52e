"""What waits for the end of a transaction: rows that are written just before the commit, and what follows it."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from sqlalchemy import Executable, Table, event, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

_ROWS, _FOLLOWING = "rows for the end", "what follows the commit"
_Row = tuple[SessionTransaction | None, Table, dict[str, Any]]
_Work = tuple[SessionTransaction | None, Callable[[], Awaitable[None]]]


def insert_at_end(session: AsyncSession, table: Table, row: dict[str, Any]) -> None:
    """Insert a row just before the commit, together with the others of its table: one statement for all.

    With a savepoint that is rolled back its rows go as well.
    """
    waiting: list[_Row] = _kept_by(session, _ROWS)
    waiting.append((session.sync_session.get_nested_transaction(), table, row))


def follow(session: AsyncSession, work: Callable[[], Awaitable[None]]) -> None:
    """Do something once this transaction is committed, and only then. It sees to its own failures.

    With a savepoint that is rolled back it is forgotten.
    """
    waiting: list[_Work] = _kept_by(session, _FOLLOWING)
    waiting.append((session.sync_session.get_nested_transaction(), work))


def at_end(session: AsyncSession, work: Callable[[], None]) -> None:
    """Do something when this transaction has ended, whether it was committed or rolled back."""

    def after_end(_session: Session, ended: SessionTransaction) -> None:
        if ended.parent is None:
            work()

    event.listen(session.sync_session, "after_transaction_end", after_end)


async def write(session: AsyncSession) -> None:
    """Insert what waits: just before the commit."""
    waiting: list[_Row] | None = session.info.get(_ROWS)
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
    for _, work in session.info.pop(_FOLLOWING, ()):
        await work()


@cache
def _insert(table: Table) -> Executable:
    return insert(table)


def _kept_by(session: AsyncSession, name: str) -> list[Any]:
    if name not in session.info:
        waiting: list[Any] = []
        session.info[name] = waiting

        def drop(_session: Session, ended: SessionTransaction) -> None:
            waiting[:] = [one for one in waiting if not _is_within(one[0], ended)]

        event.listen(session.sync_session, "after_soft_rollback", drop)
    kept: list[Any] = session.info[name]
    return kept


def _is_within(savepoint: SessionTransaction | None, ended: SessionTransaction) -> bool:
    while savepoint is not None:
        if savepoint is ended:
            return True
        savepoint = savepoint.parent
    return not ended.nested
