"""Acme's orders, and the credit that its users get for the orders of their friends."""

import sqlite3
import uuid
from datetime import UTC, datetime
from typing import Any

from accounts import Accounts, queue

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, returned INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS credits (  -- a row for each reward, as the latest webhook says
    reward_id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, minor INTEGER NOT NULL,
    sequence INTEGER NOT NULL
);
"""
PRICE = 4990
"""Of an anvil, in US cents."""


class Orders:
    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        with accounts.transaction() as database:
            database.executescript(SCHEMA)

    def add(self, user_id: str) -> None:
        """Sell an anvil to a user and, in the same transaction, queue the event for Goodword."""
        order_id = str(uuid.uuid4())
        with self._accounts.transaction() as database:
            database.execute("INSERT INTO orders (id, user_id) VALUES (?, ?)", (order_id, user_id))
            amount = {"minor": PRICE, "currency": "USD"}
            _queue_event(database, user_id, id=order_id, type="purchase", amount=amount)

    def take_back(self, user_id: str, order_id: str) -> None:
        """Take an order back, once, and queue the refund."""
        query = "UPDATE orders SET returned = 1 WHERE id = ? AND user_id = ? AND NOT returned"
        with self._accounts.transaction() as database:
            if database.execute(query, (order_id, user_id)).rowcount:
                _queue_event(database, user_id, id=f"refund-{order_id}", type="refund", refunds=order_id)

    def of(self, user_id: str) -> list[sqlite3.Row]:
        with self._accounts.transaction() as database:
            return database.execute("SELECT * FROM orders WHERE user_id = ?", (user_id,)).fetchall()

    def credit_of(self, user_id: str) -> int:
        with self._accounts.transaction() as database:
            query = "SELECT ifnull(sum(minor), 0) FROM credits WHERE user_id = ?"
            return int(database.execute(query, (user_id,)).fetchone()[0])

    def handle(self, event: dict[str, Any]) -> None:
        """Credit what is left of a reward, and report that it was paid.

        A webhook can come twice, or late: one whose `sequence` is not greater than the last changes nothing.
        """
        reward, sequence = event["data"], event["sequence"]
        user_id = reward["participant"]["external_id"]
        minor = reward["remaining_minor"] if reward["status"] in ("approved", "fulfilled") else 0
        with self._accounts.transaction() as database:
            is_new = database.execute(CREDIT, (reward["id"], minor, sequence, user_id)).rowcount
            if is_new and event["type"] == "reward.approved":
                body = {"external_reference": f"credit-{reward['id']}"}
                queue(database, "POST", f"/rewards/{reward['id']}/fulfil", body, user_id)


CREDIT = """
INSERT INTO credits (reward_id, minor, sequence, user_id) SELECT ?, ?, ?, id FROM users WHERE id = ?
ON CONFLICT (reward_id) DO UPDATE SET minor = excluded.minor, sequence = excluded.sequence
    WHERE excluded.sequence > credits.sequence
"""


def _queue_event(database: sqlite3.Connection, user_id: str, **event: Any) -> None:
    participant, occurred_at = {"external_id": user_id}, datetime.now(UTC).isoformat()
    event |= {"participant": participant, "occurred_at": occurred_at}
    queue(database, "POST", "/events", event, user_id)
