"""Hooks that run when a transaction begins, just before and just after its commit, and when it ends.

Hooks that are registered within a savepoint are dropped if the savepoint is rolled back.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Executable, Table, bindparam, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.schema import sort_tables

from goodword.db.base import insert_statement

ACTOR = "actor"
"""Key in the state of a request: the `Actor` that its transaction locks."""
MOST_TOGETHER = 8
"""Rows in one statement. A statement is prepared for each combination of tables."""
T = TypeVar("T")


class Actor(Protocol):
    """The authenticated user of a request."""

    def lock(self, session: "HookedSession", connection: Connection, /) -> None:
        """Lock the rows that allow the user to act until the transaction ends, or raise."""


class CacheInvalidation(Protocol):
    """A cache whose entries transactions invalidate."""

    async def before_commit(self, session: AsyncSession, keys: Iterable[str], /) -> None: ...

    def after_commit(self, keys: Iterable[str], /) -> None: ...


@dataclass(slots=True)
class CommitObservers:
    """The parts of this process that act on the commits of a database."""

    cache: CacheInvalidation | None = None
    listeners: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By channel."""


class _Queue(Generic[T]):
    """Hooks of one kind, each with the savepoint in which it was registered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: list[tuple[SessionTransaction | None, T]] = []
        self._taken: list[tuple[SessionTransaction, tuple[SessionTransaction | None, T]]] = []
        """Entries that were taken within a savepoint, with it."""

    def add(self, hook: T) -> None:
        self._entries.append((self._session.get_nested_transaction(), hook))

    def peek(self) -> list[T]:
        return [hook for _, hook in self._entries]

    def take(self) -> list[T]:
        savepoint = self._session.get_nested_transaction()
        if savepoint is None:
            self._taken = []
        else:
            self._taken += [(savepoint, entry) for entry in self._entries]
        hooks, self._entries = self.peek(), []
        return hooks

    def drop(self, ended: SessionTransaction) -> None:
        """Remove the hooks of a transaction or savepoint that was rolled back.

        What it took of the hooks that were registered before it waits again.
        """
        again = [entry for savepoint, entry in self._taken if _is_within(savepoint, ended)]
        self._taken = [taken for taken in self._taken if not _is_within(taken[0], ended)]
        self._entries = [entry for entry in (*again, *self._entries) if not _is_within(entry[0], ended)]


class HookedSession(Session):
    """A session with the hooks of its transaction."""

    def __init__(self, *args: Any, observers: CommitObservers, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.observers = observers
        self.request_state: Mapping[str, Any] = {}
        self.refusal: Exception | None = None
        """What `Actor.lock` raised."""
        self.locked_user: Mapping[str, Any] | None = None
        """The row of the account that `Actor.lock` has locked."""
        self.rows: _Queue[tuple[Table, dict[str, Any]]] = _Queue(self)
        self.invalid_keys: _Queue[str] = _Queue(self)
        self.notifications: _Queue[str] = _Queue(self)
        self.after_commit: _Queue[Callable[[], Awaitable[None]]] = _Queue(self)
        self.at_end: list[Callable[[], None]] = []


def insert_before_commit(session: AsyncSession, table: Table, row: dict[str, Any]) -> None:
    """Insert a row just before the commit. On PostgreSQL all rows are inserted by one statement."""
    _hooked(session).rows.add((table, row))


def waiting_rows(session: AsyncSession, table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table that wait for the commit. No statement finds them before."""
    return [row for of, row in _hooked(session).rows.peek() if of is table]


def invalidate(session: AsyncSession, *keys: str) -> None:
    """Invalidate cache entries: mark them before the commit, and remove them after it."""
    for key in keys:
        _hooked(session).invalid_keys.add(key)


def notify_after_commit(session: AsyncSession, channel: str) -> None:
    """Call the listener of this process on `channel` after the commit, if there is one."""
    _hooked(session).notifications.add(channel)


def run_after_commit(session: AsyncSession, function: Callable[[], Awaitable[None]]) -> None:
    """Call and await `function` after the commit. It must handle its own errors."""
    _hooked(session).after_commit.add(function)


def run_at_end(session: AsyncSession, function: Callable[[], None]) -> None:
    """Call `function` when the transaction has ended, whether it was committed or rolled back."""
    _hooked(session).at_end.append(function)


def lock_actor_at_begin(session: AsyncSession, request_state: Mapping[str, Any]) -> None:
    """Lock the `Actor` of a request when its transaction begins. If that raises, nothing is committed."""
    _hooked(session).request_state = request_state


def take_locked_user(session: AsyncSession) -> Mapping[str, Any] | None:
    """Return the row of the account that the `Actor` has locked, the first time that it is asked for."""
    state = _hooked(session)
    row, state.locked_user = state.locked_user, None
    return row


async def run_before_commit_hooks(session: AsyncSession) -> None:
    """Run the hooks before the commit. Raise what `Actor.lock` raised, even if the endpoint handled it."""
    state = _hooked(session)
    if state.refusal is not None:
        raise state.refusal
    await insert_now(session)
    keys = set(state.invalid_keys.peek())
    if keys and state.observers.cache is not None:
        await state.observers.cache.before_commit(session, keys)


async def insert_now(session: AsyncSession) -> None:
    """Insert the rows that wait for the commit, for statements that must find them."""
    if rows := _hooked(session).rows.take():
        await _insert(await session.connection(), rows)


async def _insert(connection: AsyncConnection, rows: list[tuple[Table, dict[str, Any]]]) -> None:
    if connection.dialect.name == "postgresql" and len(rows) <= MOST_TOGETHER:
        statement = _insert_together(tuple((table, tuple(row)) for table, row in rows))
        values = {f"{name}_{n}": value for n, (_, row) in enumerate(rows) for name, value in row.items()}
        await connection.execute(statement, values)
        return
    by_table: dict[Table, list[dict[str, Any]]] = {}
    for table, row in rows:
        by_table.setdefault(table, []).append(row)
    for table in _parents_first(frozenset(by_table)):
        await connection.execute(insert_statement(table), by_table[table])


@cache
def _parents_first(tables: frozenset[Table]) -> list[Table]:
    """Return the tables in an order in which rows refer to rows that are there already."""
    return sort_tables(sorted(tables, key=lambda table: table.name))


@cache
def _insert_together(rows: tuple[tuple[Table, tuple[str, ...]], ...]) -> Executable:
    """Return one statement for rows of these tables with these columns: each but the last in a `WITH` clause."""
    *others, last = (
        insert_statement(table).values({name: bindparam(f"{name}_{n}") for name in names})
        for n, (table, names) in enumerate(rows)
    )
    return last.add_cte(*(other.cte(f"row_{n}") for n, other in enumerate(others)))


async def run_after_commit_hooks(session: AsyncSession) -> None:
    """Run the asynchronous hooks after the commit."""
    for function in _hooked(session).after_commit.take():
        await function()


async def commit_before_error(session: AsyncSession) -> None:
    """Commit although an error follows: a replayed refresh token must end its session."""
    await run_before_commit_hooks(session)
    await session.commit()
    await run_after_commit_hooks(session)


def _hooked(session: AsyncSession) -> HookedSession:
    assert isinstance(session.sync_session, HookedSession), "sessions for reading have no hooks"
    return session.sync_session


@event.listens_for(HookedSession, "after_begin")
def _lock_actor(session: HookedSession, _transaction: SessionTransaction, connection: Connection) -> None:
    # Read the state only now: the actor is authenticated after the session is created.
    actor: Actor | None = session.request_state.get(ACTOR)
    session.request_state = {}
    if actor is not None:
        try:
            actor.lock(session, connection)
        except Exception as error:
            session.refusal = error
            raise


@event.listens_for(HookedSession, "after_commit")
def _notify(session: HookedSession) -> None:
    # Called within the commit, so the cache is invalidated even if the task is cancelled right after it.
    if session.in_nested_transaction():  # a savepoint was released
        return
    if (keys := set(session.invalid_keys.take())) and session.observers.cache is not None:
        session.observers.cache.after_commit(keys)
    for channel in set(session.notifications.take()):
        if listener := session.observers.listeners.get(channel):
            listener()


@event.listens_for(HookedSession, "after_soft_rollback")
def _drop(session: HookedSession, ended: SessionTransaction) -> None:
    while not ended.nested and ended.parent is not None:
        ended = ended.parent  # a failed flush rolls back to the savepoint around it
    for queue in (session.rows, session.invalid_keys, session.notifications, session.after_commit):
        queue.drop(ended)


@event.listens_for(HookedSession, "after_transaction_end")
def _run_at_end(session: HookedSession, ended: SessionTransaction) -> None:
    if ended.parent is None:
        functions, session.at_end = session.at_end, []
        for function in functions:
            function()


def _is_within(savepoint: SessionTransaction | None, ended: SessionTransaction) -> bool:
    while savepoint is not None and savepoint is not ended:
        savepoint = savepoint.parent
    return savepoint is ended or not ended.nested
