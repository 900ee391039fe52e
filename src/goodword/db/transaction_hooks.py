"""What waits for the end of a transaction: rows that are written just before the commit, and what follows it."""

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Executable, Table, event, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    Session,
    Session as SyncSession,
    SessionTransaction,
)

from goodword.db import actor_check

_ROWS, _FOLLOWING = "rows for the end", "what follows the commit"
_Row = tuple[SessionTransaction | None, Table, dict[str, Any]]
_Work = tuple[SessionTransaction | None, Callable[[], Awaitable[None]]]


def insert_before_commit(session: AsyncSession, table: Table, row: dict[str, Any]) -> None:
    """Insert a row just before the commit, together with the others of its table: one statement for all.

    With a savepoint that is rolled back its rows go as well.
    """
    waiting: list[_Row] = _kept_by(session, _ROWS)
    waiting.append((session.sync_session.get_nested_transaction(), table, row))


def run_after_commit(session: AsyncSession, work: Callable[[], Awaitable[None]]) -> None:
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


async def run_before_commit_hooks(session: AsyncSession) -> None:
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


async def run_after_commit_hooks(session: AsyncSession) -> None:
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


class CacheInvalidation(Protocol):
    """What keeps copies of rows, and wants to know which of them are outdated by a transaction."""

    async def before_commit(self, session: AsyncSession, names: Iterable[str]) -> None: ...

    def after_commit(self, names: Iterable[str]) -> None: ...


_CACHES, _OUTDATED = "caches", "outdated"


def invalidate(session: AsyncSession, *names: str) -> None:
    """Say that copies under these names are no longer true once this transaction is committed."""
    caches: CacheInvalidation | None = session.info.get(_CACHES)
    if caches is None:
        return
    if _OUTDATED not in session.info:
        outdated: set[str] = session.info.setdefault(_OUTDATED, set())

        def after_commit(_session: SyncSession) -> None:
            caches.after_commit(outdated)

        event.listen(session.sync_session, "after_commit", after_commit)
    session.info[_OUTDATED].update(names)


async def _end(session: AsyncSession) -> None:
    actor_check.raise_refusal(session)
    await run_before_commit_hooks(session)
    await _tell_caches(session)


async def _tell_caches(session: AsyncSession) -> None:
    if outdated := session.info.get(_OUTDATED):
        await session.info[_CACHES].before_commit(session, outdated)


async def commit_before_error(session: AsyncSession) -> None:
    """Keep what was done although an error follows: a replayed refresh token must end its session."""
    await _end(session)
    await session.commit()
