"""How the service, the worker and the commands open a database, and make sure that they may use it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from goodword import migrations
from goodword.account import erasure
from goodword.cache.lookup_cache import Cache
from goodword.cache.memory import Board
from goodword.clock import utc_now
from goodword.config.settings import Settings, SettingsError
from goodword.crypto import WrongSecret, subkey
from goodword.db.database import Database
from goodword.sessions import keys

SIGNING_KEYS = "signing keys"


def open_database(
    settings: Settings, board: Board | None = None, clock: Callable[[], datetime] = utc_now
) -> tuple[Database, Cache]:
    """The database, and the cache that hears of every transaction there: whoever writes needs both."""
    database = Database.of(settings)
    cache = Cache(
        database,
        board or Board(),
        clock=clock,
        key=subkey(settings.secret, "cache"),
        redis_url=settings.redis_url.get_secret_value() if settings.redis_url else None,
        enabled=settings.cache == "on",
    )
    return database, cache


async def open_keys(
    database: Database, secret: bytes, clock: Callable[[], datetime] = utc_now
) -> keys.SigningKeys:
    """The signing keys of this database. Raises `SettingsError` when it was made with another secret."""
    found = keys.SigningKeys(database, subkey(secret, SIGNING_KEYS), clock)
    try:
        await found.load()
    except WrongSecret:
        raise SettingsError(
            "GOODWORD_SECRET_KEY is not the secret that this database was made with."
        ) from None
    return found


async def make_ready(
    database: Database, settings: Settings, clock: Callable[[], datetime] = utc_now
) -> keys.SigningKeys:
    """Check the schema and the secret, then erase again the people whom a restored backup brought back.

    The service, the worker and every command that writes or sends begin with this. Raises `SettingsError`.
    """
    if not await migrations.is_current(database):
        raise SettingsError(migrations.NOT_CURRENT)
    # Before the erasure: with another secret no tombstone matches, and all would be marked as dealt with.
    found = await open_keys(database, settings.secret, clock)
    await erasure.erase_again(database, settings, clock)
    return found


@asynccontextmanager
async def opened(settings: Settings, *, migrate: bool = False) -> AsyncIterator[Database]:
    """Open the database for the worker or a command, made ready, and with its cache attached."""
    database, cache = open_database(settings)
    try:
        if migrate and not await migrations.is_current(database):
            await migrations.upgrade(settings.database)
        await make_ready(database, settings)
        yield database
    finally:
        await cache.close()
        await database.close()
