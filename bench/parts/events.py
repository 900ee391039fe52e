"""Events that the server of a product reports."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

import seed
from parts.accounts import joining
from parts.participants import MANY, api_key
from row import Figure, Goal, Measure, Result, Row
from seed import CROWD
from stack import CHEAP, Server, Stack
from wrk import CONNECTIONS, drive

SCOPES = ("participants:write", "programs:write", "events:write")
BUYERS, TOGETHER = 2_000, 100
CPU = Figure("CPU of limit", lambda found: found.cpu, Goal(2.0, 1.5, more=False), of_limit=True)
RULES: tuple[dict[str, Any], ...] = (
    {"beneficiary": "referrer", "kind": "credit", "basis_points": 1000, "hold": 1_209_600},
    {"beneficiary": "referee", "kind": "points", "amount_minor": 100, "hold": 1_209_600},
)


@contextmanager
def events(stack: Stack) -> Iterator[list[Row]]:
    """Measure an event that makes two rewards against a sign-up with a code."""
    with opened_shop(stack, CHEAP) as (service, key):
        yield [Row("event with two rewards", bought(service, key), [CPU], joining(service), "sign-up")]


@contextmanager
def opened_shop(stack: Stack, given: dict[str, str]) -> Iterator[tuple[Server, str]]:
    """Run a service with two rules and with referred buyers. Yield it with an API key."""
    settings = given | MANY
    with stack.service(settings) as service:
        key = api_key(stack, settings, SCOPES)
        with httpx2.Client(
            base_url=f"{service.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as api:
            for terms in RULES:
                body = {"trigger": "purchase"} | terms
                api.post("/programs/default/reward-rules", json=body).raise_for_status()
            for first in range(0, BUYERS, TOGETHER):
                body = {"items": [_buyer(n) for n in range(first, first + TOGETHER)]}
                api.post("/participants/batch", json=body).raise_for_status()
        yield service, key


def _buyer(number: int) -> dict[str, Any]:
    owner = 2 + number * 7919 % (CROWD.codes - 2)
    return {
        "external_id": f"buyer-{number}",
        "first_name": "Friend",
        "referral_code": seed.code(owner),
        "signed_up_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
    }


def bought(service: Server, key: str, *, connections: int = CONNECTIONS) -> Measure:
    """Return what measures events. `connections`: how many at a time."""
    tags = itertools.count()

    def measure(seconds: float) -> Result:
        tag, now = next(tags), datetime.now(UTC).isoformat()
        lines = [_event(f"{service.pid}-{tag}-{n}", n % BUYERS, now) for n in range(20_000)]
        return drive(service, lines, seconds, token=key, connections=connections)

    return measure


def _event(name: str, buyer: int, now: str) -> str:
    body = {
        "id": name,
        "type": "purchase",
        "participant": {"external_id": f"buyer-{buyer}"},
        "occurred_at": now,
        "amount": {"minor": 4990, "currency": "USD"},
    }
    return f"/api/v1/events\t{json.dumps(body)}"
