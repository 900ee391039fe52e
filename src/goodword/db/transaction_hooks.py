"""Hooks that run when a transaction begins, just before and just after its commit, and when it ends.

Hooks that are registered within a savepoint are dropped if the savepoint is rolled back.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, Executable, Table, event, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

ACTOR = "actor"
"""Key in the state of a request: the `Actor` that its transaction locks."""


class Actor(Protocol):
    """The authenticated user of a request."""

    def lock(self, session: "HookedSession", connection: Connection, /) -> None:
        """Lock the rows that allow the user to act until the transaction ends, or raise."""


class CacheInvalidation(Protocol):
    """A cache of rows whose entries transactions invalidate."""

    async def before_commit(self, session: AsyncSession, keys: Iterable[str], /) -> None: ...

    def after_commit(self, keys: Iterable[str], /) -> None: ...


@dataclass(slots=True)
class CommitObservers:
    """The parts of this process that act on the commits of a database."""

    cache: CacheInvalidation | None = None
    listeners: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By channel."""


class _Row(NamedTuple):
    table: Table
    row: dict[str, Any]


class _Invalidation(NamedTuple):
    key: str


class _Notification(NamedTuple):
    channel: str


class _Call(NamedTuple):
    function: Callable[[], Awaitable[None]]


_AnyHook = _Row | _Invalidation | _Notification | _Call
_Hook = TypeVar("_Hook", _Row, _Invalidation, _Notification, _Call)


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
        self.hooks: list[tuple[SessionTransaction | None, _AnyHook]] = []
        """Each with the savepoint in which it was registered."""
        self.at_end: list[Callable[[], None]] = []

    def take(self, kind: type[_Hook]) -> list[_Hook]:
        """Remove the hooks of a kind and return them."""
        taken = [hook for _, hook in self.hooks if isinstance(hook, kind)]
        if taken:
            self.hooks = [entry for entry in self.hooks if not isinstance(entry[1], kind)]
        return taken


def insert_before_commit(session: AsyncSession, table: Table, row: dict[str, Any]) -> None:
    """Insert a row just before the commit. Rows of one table are inserted by one statement."""
    _register(session, _Row(table, row))


def invalidate(session: AsyncSession, *keys: str) -> None:
    """Invalidate cache entries: mark them before the commit, and remove them after it."""
    for key in keys:
        _register(session, _Invalidation(key))


def notify_after_commit(session: AsyncSession, channel: str) -> None:
    """Call the listener of this process on `channel` after the commit, if there is one."""
    _register(session, _Notification(channel))


def run_after_commit(session: AsyncSession, function: Callable[[], Awaitable[None]]) -> None:
    """Call and await `function` after the commit. It must handle its own errors."""
    _register(session, _Call(function))


def run_at_end(session: AsyncSession, function: Callable[[], None]) -> None:
    """Call `function` when the transaction has ended, whether it was committed or rolled back."""
    _hooked(session).at_end.append(function)


def lock_actor_at_begin(session: AsyncSession, request_state: Mapping[str, Any]) -> None:
    """Lock the `Actor` of a request when its transaction begins. If that raises, nothing is committed."""
    _hooked(session).request_state = request_state


def take_locked_user(session: AsyncSession) -> Mapping[str, Any] | None:
    """Return the row of the account that the `Actor` has locked, or None if there is none or it was taken."""
    state = _hooked(session)
    row, state.locked_user = state.locked_user, None
    return row


async def run_before_commit_hooks(session: AsyncSession) -> None:
    """Run the hooks before the commit. Raise what `Actor.lock` raised, even if the endpoint handled it."""
    state = _hooked(session)
    if state.refusal is not None:
        raise state.refusal
    rows: dict[Table, list[dict[str, Any]]] = {}
    for table, row in state.take(_Row):
        rows.setdefault(table, []).append(row)
    for table, together in rows.items():
        connection = await session.connection()
        await connection.execute(_insert(table), together)
    keys = {hook.key for _, hook in state.hooks if isinstance(hook, _Invalidation)}
    if keys and state.observers.cache is not None:
        await state.observers.cache.before_commit(session, keys)


async def run_after_commit_hooks(session: AsyncSession) -> None:
    """Run the asynchronous hooks after the commit."""
    for hook in _hooked(session).take(_Call):
        await hook.function()


async def commit_before_error(session: AsyncSession) -> None:
    """Commit although an error follows: a replayed refresh token must end its session."""
    await run_before_commit_hooks(session)
    await session.commit()
    await run_after_commit_hooks(session)


def _hooked(session: AsyncSession) -> HookedSession:
    """Return the synchronous session, which holds the hooks."""
    assert isinstance(session.sync_session, HookedSession), (
        "only sessions of `Database.transaction` have hooks"
    )
    return session.sync_session


def _register(session: AsyncSession, hook: _AnyHook) -> None:
    state = _hooked(session)
    state.hooks.append((state.get_nested_transaction(), hook))


@cache
def _insert(table: Table) -> Executable:
    return insert(table)


@event.listens_for(HookedSession, "after_begin")
def _lock_actor(session: HookedSession, _transaction: SessionTransaction, connection: Connection) -> None:
    # Not before: authentication adds the actor to the state after the session was made.
    actor: Actor | None = session.request_state.get(ACTOR)
    session.request_state = {}
    if actor is not None:
        try:
            actor.lock(session, connection)
        except Exception as error:
            session.refusal = error
            raise


# Called by the commit itself: a task that is cancelled right after the commit has still invalidated the cache.
@event.listens_for(HookedSession, "after_commit")
def _notify(session: HookedSession) -> None:
    if session.in_nested_transaction():  # a savepoint was released
        return
    keys = {hook.key for hook in session.take(_Invalidation)}
    if keys and session.observers.cache is not None:
        session.observers.cache.after_commit(keys)
    for channel in {hook.channel for hook in session.take(_Notification)}:
        if listener := session.observers.listeners.get(channel):
            listener()


@event.listens_for(HookedSession, "after_soft_rollback")
def _drop(session: HookedSession, ended: SessionTransaction) -> None:
    while (
        not ended.nested and ended.parent is not None
    ):  # a failed flush rolls back to the savepoint around it
        ended = ended.parent
    session.hooks = [entry for entry in session.hooks if not _is_within(entry[0], ended)]


@event.listens_for(HookedSession, "after_transaction_end")
def _run_at_end(session: HookedSession, ended: SessionTransaction) -> None:
    if ended.parent is None:
        functions, session.at_end = session.at_end, []
        for function in functions:
            function()


def _is_within(savepoint: SessionTransaction | None, ended: SessionTransaction) -> bool:
    while savepoint is not None:
        if savepoint is ended:
            return True
        savepoint = savepoint.parent
    return not ended.nested
