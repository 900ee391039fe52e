"""The installation that is looked at: its settings, and a database that may be away."""

import asyncio
import os
import ssl
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Row, text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from goodword import migrations
from goodword.clock import utc_now
from goodword.config import loading
from goodword.config.settings import Settings, SettingsError
from goodword.crypto import derive_key
from goodword.db.database import Database
from goodword.db.error_causes import SLOW, describe
from goodword.doctor.findings import NotChecked, NotUsed
from goodword.services import DerivedKeys

CONNECT_SECONDS = 3.5
CLOSE_SECONDS = 1.0
CONNECTIONS = 4
"""To PostgreSQL, half of them for reads: it may be short of connections."""
ENV_FILE = Path(".env")


class Installation:
    """What the checks share. Nothing is connected before its first use."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.unknown: Sequence[str] = ()
        self.secret_problem: str | None = None
        self._settings: Settings | None = None
        self._database: Database | None = None
        self._turn = asyncio.Semaphore(CONNECTIONS // 2)

    def load(self) -> None:
        """Load the settings, from files too, which may hang."""
        try:
            self.unknown = loading.unknown_variables(os.environ, ENV_FILE)
            settings = loading.load(os.environ, ENV_FILE, skip=self.unknown)
        except SettingsError as error:
            self.problems = str(error).splitlines()
            return
        try:
            settings = loading.with_own_secret(settings)
            _ = settings.secret
        except SettingsError as error:
            self.secret_problem = str(error)
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """Return the settings, without the unknown ones. Raises `NotChecked` if they are not valid."""
        if self._settings is None:
            raise NotChecked("the settings are not valid")
        return self._settings

    @property
    def in_production(self) -> bool:
        return self.settings.environment == "production"

    @property
    def keys(self) -> DerivedKeys:
        return DerivedKeys.derive(self._secret)

    def key(self, purpose: str) -> bytes:
        return derive_key(self._secret, purpose)

    @property
    def _secret(self) -> bytes:
        if self.secret_problem:
            raise NotChecked("there is no secret key")
        return self.settings.secret

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    @cached_property
    def _connecting(self) -> "asyncio.Task[str | None]":
        return asyncio.create_task(self._connect())

    @cached_property
    def _reading_schema(self) -> "asyncio.Task[str | None]":
        return asyncio.create_task(self._read_schema())

    async def database_problem(self) -> str | None:
        """Return why the database cannot be reached, or None."""
        _ = self.settings
        return await asyncio.shield(self._connecting)

    async def schema_problem(self) -> str | None:
        """Return why the schema cannot be used, or None. Raises `NotChecked` if the database is away."""
        await self.database()
        return await asyncio.shield(self._reading_schema)

    async def database(self) -> Database:
        """Return the database. Raises `NotChecked` if it cannot be reached."""
        if await self.database_problem() or self._database is None:
            raise NotChecked("the database cannot be reached")
        return self._database

    async def migrated(self) -> Database:
        """Return the database. Raises `NotChecked` if its schema is not that of this version."""
        if await self.schema_problem():
            raise NotChecked("the schema is not current")
        return await self.database()

    async def postgres(self) -> Database:
        """Return the database. Raises `NotUsed` if it is SQLite."""
        if self.settings.embedded:
            raise NotUsed("the database is SQLite")
        return await self.database()

    def sqlite_file(self) -> Path:
        """Return the file of the database. Raises `NotUsed` if it is PostgreSQL, `NotChecked` if there is none."""
        file = self.settings.sqlite_file
        if file is None:
            raise NotUsed("the database is PostgreSQL")
        if not file.exists():
            raise NotChecked("there is no database")
        return file

    async def rows(self, statement: Executable | str, **values: object) -> Sequence[Row[Any]]:
        """Return the rows of a statement on the database, which can be reached."""
        database = await self.database()
        async with self._turn:
            found = text(statement) if isinstance(statement, str) else statement
            return await database.rows(found, **values)

    async def row(self, statement: Executable | str, **values: object) -> Row[Any] | None:
        found = await self.rows(statement, **values)
        return found[0] if found else None

    def now(self) -> datetime:
        return utc_now()

    async def _connect(self) -> str | None:
        settings = self.settings
        file = settings.sqlite_file
        if file is not None and not await asyncio.to_thread(file.exists):
            return f"There is no database at {settings.database_name}."
        changed = {"otlp_endpoint": None, "pool_size": None if settings.embedded else CONNECTIONS}
        self._database = Database.from_settings(settings.model_copy(update=changed))
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._database.row(text("SELECT 1"))
        except TimeoutError:
            return SLOW
        except (DBAPIError, PoolTimeout, OSError) as failed:
            return describe(failed)
        return None

    async def _read_schema(self) -> str | None:
        async with self._turn:
            return await migrations.problem(await self.database())

    async def close(self) -> None:
        if self._database is not None:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._database.close()
