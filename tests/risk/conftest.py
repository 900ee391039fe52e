"""Services that hold referrals sooner, and the signals in the database."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asgi import client_of

Signals = Callable[[], Awaitable[dict[str, dict[str, str]]]]


@pytest.fixture
def signals(rows: Callable[..., Awaitable[list[Any]]]) -> Signals:
    """Return the levels of the signals, by the address or external id of the referee and the kind."""

    async def read() -> dict[str, dict[str, str]]:
        found = await rows(
            "SELECT coalesce(u.email, u.external_id), s.kind, s.level FROM risk_signals s"
            " JOIN referrals r ON r.id = s.referral_id JOIN users u ON u.id = r.referee_id"
        )
        by_referee: dict[str, dict[str, str]] = {}
        for referee, kind, level in found:
            by_referee.setdefault(referee.partition("@")[0], {})[kind] = level
        return by_referee

    return read


@pytest.fixture
async def elsewhere(app):
    """Yield a client in another network, with another user agent."""
    async with client_of(app, peer="198.51.100.7") as client:
        client.headers["user-agent"] = "Elsewhere/1.0"
        yield client
