"""What was looked up a moment ago: in the memory of each process and, where one is set, in Redis or Valkey.

The database is right; this saves asking it. Nobody may be shown what a transaction has outdated: not in this
node (one `goodword serve`, however many processes) once the writer has its answer, and nowhere else a second
later. `docs/decisions/0010-cache.md` says how, and why that holds while servers stall, die and come back.
"""

import asyncio
import hmac
import math
import mmap
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar
from zlib import crc32

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword import __version__
from goodword.crypto import mac
from goodword.db import Base, Database

KEPT_AT_MOST = 10_000
NEAR = 0.8
"""Seconds for which a process serves what it found without asking anybody."""
EPOCH = 0.15
"""Seconds for which it trusts the epoch that it read."""
FAR = 60.0
MARK = 30
"""Seconds for which a mark stands: longer than a commit (10 s) and a reader of the old row together take."""
READER = 5.0
"""Seconds after which a reader no longer puts what it found into the shared cache."""
PATIENCE = 0.05
PAUSE = 1.0
"""Seconds for which a shared cache that failed is left alone."""
PING = 0.5
MARKED, SEAL = b"mark:", 16
HERE = "here:"
"""How names begin of what is only kept in the memory of processes."""

log = structlog.get_logger("goodword.cache")

T = TypeVar("T")
Target = tuple[str, bytes]
"""Path and query of a request, as they came."""


class Epoch(Base):
    """The one row whose id is in the name of all that is in the shared cache: a new id empties it for everyone."""

    __tablename__ = "cache_epoch"


class Board:
    """A number for each slot of names, which changes when what is kept under one of them is outdated.

    Given a file, all processes of a node look at the same board.
    """

    SLOTS = 16_384

    def __init__(self, file: Path | None = None) -> None:
        if file is None:
            memory = memoryview(bytearray(self.SLOTS * 8))
        else:
            with file.open("r+b") as opened:
                memory = memoryview(mmap.mmap(opened.fileno(), self.SLOTS * 8))
        self._numbers = memory.cast("Q")

    @classmethod
    def create(cls, file: Path) -> None:
        file.write_bytes(bytes(cls.SLOTS * 8))

    def slot(self, name: str) -> int:
        return crc32(name.encode()) % self.SLOTS

    def number(self, slot: int) -> int:
        return self._numbers[slot]

    def turn(self, name: str) -> None:
        # Drawn, not counted on: two processes that count at the same moment would write the same number.
        self._numbers[self.slot(name)] = secrets.randbits(64)


class Found(NamedTuple, Generic[T]):
    """What a look-up found, and the instant (seconds since 1970) until which it can be true."""

    value: T
    until: float


@dataclass(slots=True, eq=False)
class _Kept(Generic[T]):
    """A look-up, under way or done; `number` is the board's from before it began."""

    slot: int
    number: int
    good_until: float
    task: asyncio.Task[Found[T]] | None = None
    found: Found[T] | None = None


class Memory(Generic[T]):
    """Remembers values for a moment; many who ask for one at the same time cause one look-up.

    Each has a name of its own, and another one, perhaps the same, under which it is outdated.
    """

    def __init__(self, board: Board, clock: Callable[[], datetime], *, seconds: float) -> None:
        self._board, self._clock, self._seconds = board, clock, seconds
        self._kept: dict[str, _Kept[T]] = {}

    def peek(self, name: str) -> T | None:
        """What is known at this moment, without asking anybody."""
        kept = self._kept.get(name)
        if kept is None or kept.found is None or not self._is_good(kept):
            return None
        return kept.found.value if self._clock().timestamp() < kept.found.until else None

    async def get(self, name: str, look_up: Callable[[], Awaitable[Found[T]]], *, outdated_by: str) -> T:
        """The value from memory, or else from `look_up`, whose error all get who wait for it."""
        known = self.peek(name)
        if known is not None:
            return known
        kept = self._kept.get(name)
        if kept is None or kept.task is None or not self._is_good(kept):
            kept = self._begin(name, look_up, outdated_by)
        assert kept.task is not None
        # Shielded: one of those who wait may go away without the look-up ending for the others.
        return (await asyncio.shield(kept.task)).value

    def _begin(self, name: str, look_up: Callable[[], Awaitable[Found[T]]], outdated_by: str) -> _Kept[T]:
        slot = self._board.slot(outdated_by)
        # Both from before the look-up: what changes while it runs outdates it, and its time is not added.
        kept = _Kept[T](slot, self._board.number(slot), time.monotonic() + self._seconds)

        def landed(task: asyncio.Task[Found[T]]) -> None:
            kept.task = None
            if not task.cancelled() and not task.exception():
                kept.found = task.result()
            elif self._kept.get(name) is kept:
                del self._kept[name]

        kept.task = asyncio.ensure_future(_run(look_up))
        kept.task.add_done_callback(landed)
        self._kept.pop(
            name, None
        )  # so that it stands last, and what was looked up longest ago is first to go
        self._kept[name] = kept
        if len(self._kept) > KEPT_AT_MOST:
            del self._kept[next(iter(self._kept))]
        return kept

    def _is_good(self, kept: _Kept[T]) -> bool:
        return time.monotonic() < kept.good_until and self._board.number(kept.slot) == kept.number


async def _run(look_up: Callable[[], Awaitable[T]]) -> T:
    return await look_up()


class Cache:
    """Answers of look-ups, each a text of bytes; none is an empty one.

    Before a transaction that outdates some is committed, a mark takes their place in the shared cache, over
    which nobody puts what they read before. Where the mark cannot be set, the transaction itself begins a new
    epoch.
    """

    def __init__(
        self,
        database: Database,
        board: Board,
        *,
        clock: Callable[[], datetime],
        key: bytes,
        redis_url: str | None,
        enabled: bool = True,
    ) -> None:
        self._database, self._board, self._clock, self._enabled = database, board, clock, enabled
        self._memory: Memory[bytes] = Memory(board, clock, seconds=NEAR)
        self._names: dict[Target, str] = {}
        self._epoch: Memory[str] = Memory(board, clock, seconds=EPOCH)
        self._shared = Shared(redis_url, key) if redis_url and enabled else None
        database.watched_by(self)

    def peek(self, target: Target) -> bytes | None:
        """The answer to a request in these very words, if it is known at this moment without asking anybody."""
        name = self._names.get(target)
        return self._memory.peek(name) if name else None

    def note(self, target: Target, name: str) -> None:
        """Requests in these words ask for what has that name."""
        if self._enabled:
            self._names[target] = name
            if len(self._names) > KEPT_AT_MOST:
                del self._names[next(iter(self._names))]

    async def get(self, name: str, load: Callable[[], Awaitable[Found[bytes]]]) -> bytes:
        """The answer under that name: from memory, from the shared cache, or from `load`."""
        if not self._enabled:
            return (await load()).value
        return await self._memory.get(name, lambda: self._look_up(name, load), outdated_by=name)

    async def _look_up(self, name: str, load: Callable[[], Awaitable[Found[bytes]]]) -> Found[bytes]:
        if self._shared is None or not self._shared.is_open():
            return await load()
        began, now = time.monotonic(), self._clock().timestamp()
        epoch = await self._epoch.get("epoch", self._read_epoch, outdated_by="epoch")
        there = await self._shared.read(name)
        if there is None:
            return await load()
        known = self._shared.opened(name, epoch, there)
        if known is not None and known.until > now:
            return known
        found = await load()
        lasts = min(found.until - now, FAR)
        # An answer that stands shorter than a reader takes could replace a mark, and be gone before a slower
        # reader comes with what it read before the mark.
        if lasts > READER and time.monotonic() - began < READER and not there.startswith(MARKED):
            await self._shared.fill(name, epoch, there, Found(found.value, now + lasts), lasts=lasts)
        return found

    async def _read_epoch(self) -> Found[str]:
        row = await self._database.row(_EPOCH)
        assert row is not None, "a migration made it"
        return Found(row.id.hex, math.inf)

    async def before_commit(self, session: AsyncSession, names: Iterable[str]) -> None:
        shared = [name for name in names if not name.startswith(HERE)]
        if self._shared is not None and shared and not await self._shared.mark(shared):
            await session.execute(update(Epoch).values(id=uuid7(), created_at=self._clock()))

    def after_commit(self, names: Iterable[str]) -> None:
        for name in names:
            self._board.turn(name)

    async def is_well(self) -> bool:
        """Whether the shared cache answers; always, where there is none to fail."""
        return self._shared is None or await self._shared.ping()

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()


class Shared:
    """Redis or Valkey, asked once and shortly, and left alone for a moment when it fails.

    It is not trusted either: what stands there is sealed by name, epoch and release, and anything else is as
    good as nothing. No address and no code can be read from it.
    """

    def __init__(self, url: str, key: bytes) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=32, timeout=PATIENCE, socket_timeout=PING, retry=Retry(NoBackoff(), 0)
        )
        self._redis = Redis.from_pool(pool)
        self._fill = self._redis.register_script(_FILL)
        self._key = key
        self._closed_until = 0.0

    def is_open(self) -> bool:
        return time.monotonic() >= self._closed_until

    async def read(self, name: str) -> bytes | None:
        """What stands under that name, nothing being an empty text; None if the server does not say."""
        # MGET, because it takes what is not a text for nothing, where GET fails.
        found: list[Any] | None = await self._ask(self._redis.mget(self._place(name)))
        return None if found is None else found[0] or b""

    async def fill(self, name: str, epoch: str, there: bytes, found: Found[bytes], *, lasts: float) -> None:
        """Put an answer there for so many seconds, unless something else than `there` stands by now."""
        body = round(found.until * 1000).to_bytes(8) + found.value
        sealed = self._seal(name, epoch, body) + body
        await self._ask(self._fill(keys=[self._place(name)], args=[there, sealed, round(lasts * 1000)]))

    def opened(self, name: str, epoch: str, there: bytes) -> Found[bytes] | None:
        """The answer in what stands there, if we put it for that name in this epoch, and in this shape."""
        seal, body = there[:SEAL], there[SEAL:]
        if len(body) <= 8 or not hmac.compare_digest(seal, self._seal(name, epoch, body)):
            return None
        return Found(body[8:], int.from_bytes(body[:8]) / 1000)

    async def mark(self, names: Iterable[str]) -> bool:
        """Let nobody put there what was read before this moment. Whether that is sure."""
        if not self.is_open():
            return False
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.set(self._place(name), MARKED + secrets.token_bytes(16), ex=MARK)
        return await self._ask(pipeline.execute()) is not None

    async def ping(self) -> bool:
        try:
            async with asyncio.timeout(PING):
                await self._redis.ping()
        except (RedisError, OSError):
            return False
        return True

    async def close(self) -> None:
        await self._redis.aclose()

    async def _ask(self, question: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await question
        except (RedisError, OSError) as error:
            if self.is_open():
                log.warning("the cache does not answer", error=type(error).__name__)
            self._closed_until = time.monotonic() + PAUSE
            return None

    def _place(self, name: str) -> str:
        return "goodword:" + mac(self._key, b"place", name.encode()).hex()[:32]

    def _seal(self, name: str, epoch: str, body: bytes) -> bytes:
        release = __version__.encode()
        return mac(self._key, b"seal", release, epoch.encode(), name.encode(), body)[:SEAL]


_EPOCH = select(Epoch.id)

# In one step on the server. What is of another kind than text counts as nothing and is replaced.
_FILL = """
local there = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) or ''
if there == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""
