"""Acme's own users and sessions, and what Goodword has yet to learn about them, in SQLite."""

import hashlib
import json
import secrets
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password BLOB NOT NULL, salt BLOB NOT NULL,
    invited_by TEXT, warning TEXT
);
CREATE TABLE IF NOT EXISTS sessions (
    token TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS reports (  -- calls to Goodword; a row is deleted once it is delivered
    number INTEGER PRIMARY KEY, key TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, body TEXT NOT NULL,
    user_id TEXT NOT NULL
);
"""


class Report(NamedTuple):
    number: int
    key: str
    method: str
    path: str
    body: str
    user_id: str


class Accounts:
    def __init__(self, path: Path) -> None:
        self._path = path
        with self.transaction() as database:
            database.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._path, timeout=10)
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA foreign_keys = ON")
        try:
            with database:
                yield database
        finally:
            database.close()

    def add(self, email: str, name: str, password: str, referral: dict[str, str | None]) -> str | None:
        """Create a user and, in the same transaction, the report of it. Return None if the address is taken."""
        user_id, salt, now = str(uuid.uuid4()), secrets.token_bytes(16), datetime.now(UTC)
        first_name, _, last_name = name.partition(" ")
        known = {"email": email, "first_name": first_name, "last_name": last_name, **referral}
        report = {field: value for field, value in known.items() if value} | {"signed_up_at": now.isoformat()}
        try:
            with self.transaction() as database:
                user = (user_id, email, name, _hash(password, salt), salt)
                database.execute(
                    "INSERT INTO users (id, email, name, password, salt) VALUES (?, ?, ?, ?, ?)", user
                )
                queue(database, "PUT", f"/participants/{user_id}", report, user_id)
        except sqlite3.IntegrityError:
            return None
        return user_id

    def delete(self, user_id: str) -> None:
        with self.transaction() as database:
            database.execute("DELETE FROM users WHERE id = ?", (user_id,))
            database.execute("DELETE FROM reports WHERE user_id = ?", (user_id,))
            queue(database, "DELETE", f"/participants/{user_id}", None, user_id)

    def check(self, email: str, password: str) -> str | None:
        """Return the id of the user with this address and password."""
        with self.transaction() as database:
            user = database.execute("SELECT * FROM users WHERE email = ?", (email,)).fetchone()
        known = user and secrets.compare_digest(user["password"], _hash(password, user["salt"]))
        return user["id"] if known else None

    def begin_session(self, user_id: str) -> str:
        token = secrets.token_urlsafe(32)
        with self.transaction() as database:
            database.execute("INSERT INTO sessions VALUES (?, ?)", (token, user_id))
        return token

    def end_session(self, token: str) -> None:
        with self.transaction() as database:
            database.execute("DELETE FROM sessions WHERE token = ?", (token,))

    def signed_in(self, token: str) -> sqlite3.Row | None:
        with self.transaction() as database:
            query = "SELECT users.* FROM users JOIN sessions ON user_id = users.id WHERE token = ?"
            user: sqlite3.Row | None = database.execute(query, (token,)).fetchone()
        return user

    def reports(self, user_id: str | None) -> list[Report]:
        """Return what waits to be delivered about a user, or about all, oldest first."""
        query = "SELECT * FROM reports WHERE user_id = ifnull(?, user_id) ORDER BY number"
        with self.transaction() as database:
            return [Report(*row) for row in database.execute(query, (user_id,))]

    def is_waiting(self, report: Report) -> bool:
        with self.transaction() as database:
            return bool(database.execute("SELECT 1 FROM reports WHERE key = ?", (report.key,)).fetchone())

    def delivered(self, report: Report, answer: dict[str, Any]) -> None:
        """Remove a report. Keep who invited the user, or why Goodword did not accept the code."""
        with self.transaction() as database:
            database.execute("DELETE FROM reports WHERE key = ?", (report.key,))
            if "referral" in answer:
                referrer = (answer["referral"] or {}).get("referrer")
                warning = ", ".join(one for one in answer["warnings"] if one != "email_in_use")
                values = (referrer and referrer["display_name"], warning or None, report.user_id)
                database.execute("UPDATE users SET invited_by = ?, warning = ? WHERE id = ?", values)


def queue(database: sqlite3.Connection, method: str, path: str, body: Any, user_id: str) -> None:
    """Add a report to the transaction that causes it."""
    values = (str(uuid.uuid4()), method, path, json.dumps(body), user_id)
    database.execute("INSERT INTO reports (key, method, path, body, user_id) VALUES (?, ?, ?, ?, ?)", values)


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
