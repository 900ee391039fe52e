"""Connections to PostgreSQL that are closed when the server no longer answers: it is frozen, or the network is cut."""

import asyncio
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import asyncpg
import structlog

from goodword.db.periodic import repeat

WATCH_SECONDS = 0.25
SILENT_STEPS, CONNECT_STEPS, OPEN_STEPS, STEP_SECONDS = 12, 18, 20, 0.1
"""Time for an answer, for a connection of `watch`, and for any connection to each host.

The steps are counted, so that a pause of this process does not count as silence of the server.
"""

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # closed in the middle of a message
    OSError,
)
"""Errors of a connection of PostgreSQL's driver."""

log = structlog.get_logger("goodword.database")


class ServerWatch:
    """Opens the connections of a database, and closes them when the server is silent."""

    def __init__(self) -> None:
        self.answers = 0
        """Counts answers to statements. If there are any, the server is not silent."""
        self.is_silent = False
        self.has_asked = asyncio.Event()
        """Set when `watch` has a connection of its own, or got none."""
        self._connections: WeakSet[Any] = WeakSet()
        self._opening: set[asyncio.Future[Any]] = set()
        self._arguments: dict[str, Any] | None = None
        self._last_host: Any = None
        self._begun: asyncio.Future[Any] | None = None
        """Opens the next one. It is not cancelled, see `connect`."""
        self._asked: Any = None
        """The connection on which `watch` asks."""

    async def connect(self, **arguments: Any) -> Any:
        """Open a connection. Raises at once while the server is silent."""
        if self.is_silent:
            raise ConnectionError("the database does not answer")
        opening = asyncio.ensure_future(self._open(**arguments))
        waiting = asyncio.shield(opening)  # cancelled at once, asyncpg may leave an error that nothing reads
        self._opening.add(waiting)
        waiting.add_done_callback(self._opening.discard)
        try:
            connection = await waiting
        except asyncio.CancelledError:
            opening.add_done_callback(_terminate)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ConnectionError("the database does not answer") from None
        self._connections.add(connection)
        self._arguments = arguments
        return connection

    async def _open(self, *, host: Any = None, port: Any = None, **arguments: Any) -> Any:
        """Try each host with a time limit of its own. asyncpg would have one limit for all."""
        if not isinstance(host, list) or arguments.get("target_session_attrs") == "prefer-standby":
            return await _open_host(host=host, port=port, **arguments)
        error: Exception | None = None
        # The last host first: a frozen one would delay each connection.
        for place in sorted(zip(host, port, strict=True), key=lambda place: place != self._last_host):
            try:
                connection = await _open_host(host=place[0], port=place[1], **arguments)
            except (
                OSError,
                asyncpg.CannotConnectNowError,
                asyncpg.PostgresConnectionError,  # closed
                asyncpg.InternalClientError,  # closed in the middle of a message, or not the primary
            ) as failed:
                error = failed
            else:
                self._last_host = place
                return connection
        raise error or ValueError("no host")

    async def watch(self) -> None:
        """Ask the server at intervals whether it answers, until cancelled."""
        try:
            await repeat("watch_database", self._look, every=WATCH_SECONDS)
        finally:
            with suppress(*DRIVER_ERRORS):
                asked = await self._begun if self._begun else self._asked
                if asked is not None:
                    asked.terminate()

    async def _look(self) -> None:
        if self._arguments is None:  # no connection has succeeded, and the error of the first says more
            return
        before = self.answers
        try:
            if self._asked is None or self._asked.is_closed():
                self._asked = None
                self._begun = self._begun or asyncio.ensure_future(self._open(**self._arguments))
                if await _ends(self._begun, CONNECT_STEPS):
                    begun, self._begun = self._begun, None
                    self._asked = await begun
            answers = self._asked is not None and await _answers(self._asked)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return  # it answers, or the connection was closed
        except OSError:
            answers = False
        finally:
            self.has_asked.set()
        self._note(is_silent=not answers and self.answers == before)

    def _note(self, *, is_silent: bool) -> None:
        if is_silent and not self.is_silent:
            log.error("the database does not answer: its connections are closed")
            for connection in list(self._connections):
                connection.terminate()
            for waiting in list(self._opening):
                waiting.cancel()
        elif self.is_silent and not is_silent:
            log.info("the database answers again")
        self.is_silent = is_silent


async def _open_host(**arguments: Any) -> Any:
    """Open a connection within `OPEN_STEPS`.

    The timeout of asyncpg may expire in a pause of this process, cancel it between two steps of its own, and leave
    an error that nothing reads.
    """
    opening = asyncio.ensure_future(asyncpg.connect(timeout=None, **arguments))
    if not await _ends(opening, OPEN_STEPS):
        opening.add_done_callback(_terminate)
        opening.cancel()
        raise TimeoutError("the database did not answer in time")
    return await opening


def _terminate(opening: "asyncio.Future[Any]") -> None:
    """Close a connection that comes too late."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().terminate()


async def _answers(connection: Any) -> bool:
    # Without arguments it is a simple query, which also works through PgBouncer.
    asked = asyncio.ensure_future(connection.execute("SELECT 1"))
    try:
        answers = await _ends(asked, SILENT_STEPS)
        if answers:
            await asked
        return answers
    finally:
        if not asked.done():
            connection.terminate()
            with suppress(*DRIVER_ERRORS):
                await asked


async def _ends(work: "asyncio.Future[Any]", steps: int) -> bool:
    """Wait for the work for so many steps, without cancelling it. Return whether it has ended."""
    for _ in range(steps):
        if (await asyncio.wait({work}, timeout=STEP_SECONDS))[0]:
            return True
    return False
