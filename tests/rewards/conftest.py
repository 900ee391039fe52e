"""A product with reward rules, whose server reports events."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response

from asgi import Client
from goodword.rewards import holds
from participants.conftest import Server, limited_server
from people import as_a_request
from server_keys import make_key

SCOPES = (
    "participants:read",
    "participants:write",
    "events:read",
    "events:write",
    "rewards:read",
    "rewards:write",
    "programs:read",
    "programs:write",
)
CREDIT = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit", "amount_minor": 500}
SHARE = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit", "basis_points": 1000}


@dataclass
class Shop(Server):
    """A product's server that reports what its users buy."""

    slug: str = "default"

    async def rule(self, **terms: Any) -> dict[str, Any]:
        """Create a rule, by default 5.00 for the referrer of a purchase."""
        body = (CREDIT if not terms.keys() & {"basis_points", "tiers"} else SHARE) | terms
        if "tiers" in terms:
            del body["basis_points"]
        path = f"/api/v1/programs/{self.slug}/reward-rules"
        return good(await self.call("POST", path, json=body), 201)

    async def change_program(self, **fields: Any) -> None:
        good(await self.call("PATCH", f"/api/v1/programs/{self.slug}", json=fields), 200)

    async def pair(self, referrer: str = "alice", referee: str = "bob", **about: Any) -> None:
        """Report a referrer, and a person who joins by the code."""
        code = (await self.report(referrer))["code"]["code"]
        joined = await self.report(referee, referral_code=code, **about)
        assert joined["referral"]["status"] == "confirmed"

    @property
    def now(self) -> datetime:
        return self.api.app.state.services.clock()

    async def send(self, event_id: str = "order-1", who: str = "bob", **fields: Any) -> Response:
        """Report an event, by default a purchase for 100.00."""
        body = {
            "id": event_id,
            "type": "purchase",
            "participant": {"external_id": who},
            "occurred_at": self.now,
            "amount": {"minor": 10_000, "currency": "USD"},
        } | fields
        if isinstance(body["occurred_at"], datetime):
            body["occurred_at"] = body["occurred_at"].isoformat()
        headers = {"Idempotency-Key": body.pop("key")} if "key" in body else {}
        kept = {name: value for name, value in body.items() if value is not None}
        return await self.call("POST", "/api/v1/events", json=kept, headers=headers)

    async def event(self, *args: Any, **fields: Any) -> dict[str, Any]:
        answer = await self.send(*args, **fields)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def refund(self, event_id: str, of: str, minor: int | None = None, **fields: Any) -> dict[str, Any]:
        amount = {"minor": minor, "currency": "USD"} if minor else None
        return await self.event(event_id, refunds=of, amount=amount, type="refund", **fields)

    async def rewards(self, **query: Any) -> list[dict[str, Any]]:
        """Return all rewards, oldest first."""
        page = good(await self.call("GET", "/api/v1/rewards", params=query), 200)
        assert page["next_cursor"] is None
        return page["items"][::-1]

    async def reward(self, reward_id: str) -> dict[str, Any]:
        return good(await self.call("GET", f"/api/v1/rewards/{reward_id}"), 200)

    async def step(self, reward_id: str, step: str, **body: Any) -> Response:
        return await self.call("POST", f"/api/v1/rewards/{reward_id}/{step}", json=body)

    async def end_holds(self, after: timedelta = timedelta(0)) -> int:
        """Let time pass, and end the holds as the worker does."""
        self.api.app.state.services.clock.ahead += after
        services = self.api.app.state.services
        with as_a_request(services):
            async with services.database.transaction() as session:
                return await holds.approve_due(session, services, now=services.clock())


def good(answer: Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
async def shop(app: FastAPI, api: Client) -> Shop:
    """Return the server of a product, whose key reaches all programs."""
    return Shop(api, await make_key(app, SCOPES))


@pytest.fixture
async def other_shop(app: FastAPI, api: Client) -> Shop:
    """Return a server whose key is limited to a program of its own."""
    server = await limited_server(app, api)
    assert server.program is not None
    key = await make_key(app, SCOPES, program_id=server.program.id)
    return Shop(api, key, server.program, slug=server.program.slug)
