"""An installation for the doctor, what the doctor finds, and ways to break the installation."""

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import text

from goodword.db.database import Database
from mail_server import MailServer
from serving import goodword


@dataclass
class Patient:
    folder: Path
    settings: dict[str, str]
    url: str
    """Of the database."""
    mail: MailServer
    redis: Redis
    environment: Any
    """`pytest.MonkeyPatch`, for variables that are no settings."""
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What lasts until the end of the test."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def database_file(self) -> Path:
        return self.data / "goodword.sqlite3"

    @property
    def backup(self) -> Path:
        return next((self.folder / "backups").glob("*.backup"))

    @asynccontextmanager
    async def transaction(self):
        database = Database(self.url)
        try:
            async with database.transaction() as session:
                yield session
        finally:
            await database.close()

    async def execute(self, *statements: Any) -> None:
        async with self.transaction() as session:
            for statement in statements:
                await session.execute(text(statement) if isinstance(statement, str) else statement)

    async def set_on_connect(self, setting: str) -> None:
        """Change a setting of PostgreSQL for all later connections."""
        name = self.url.rpartition("/")[2]
        await self.execute(f"ALTER DATABASE {name} SET {setting}")

    def findings(self) -> dict[str, dict[str, Any]]:
        done = goodword(self.folder, "doctor", "--json", **self.settings)
        found = {one["id"]: one for one in json.loads(done.stdout)["findings"]}
        assert done.returncode == int(any(one["level"] == "error" for one in found.values())), done.stderr
        return found


def wrong(findings: dict[str, dict[str, Any]]) -> set[str]:
    """Return the ids of the checks that were made and found something."""
    return {id_ for id_, found in findings.items() if found["checked"] and found["level"] != "ok"}
