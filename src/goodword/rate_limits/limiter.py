"""Rate limits. An endpoint declares `dependencies=[limited("sign-up")]`.

Counts are kept in the memory of the node and, if configured, in Redis or Valkey. While that is unavailable, each
node enforces the limits by its own counts. `docs/decisions/0017-rate-limits.md` explains why.
"""

import asyncio
import hashlib
import math
import socket
from collections.abc import Callable, Mapping
from datetime import datetime

from starlette.types import Scope

from goodword.config.rate_limits import Policy
from goodword.errors import TooManyRequests
from goodword.rate_limits.counters import Counts, SharedCounts, Total

STEPS = 50
"""Steps of a limit. A node reports to Redis after each, where it does not ask each time."""
ASKED = "limits"
"""Key in the state of a request: its `Usage`."""


class RateLimited(TooManyRequests):
    code, detail = "rate_limited", "Too many requests. `Retry-After` says in how many seconds to come back."


class Rule:
    """A policy in the form that the hot path uses."""

    __slots__ = ("amount", "policy_header", "salt", "shown", "window_ms")

    def __init__(self, policy: Policy) -> None:
        self.amount, self.window_ms = policy.amount, policy.seconds * 1000
        self.salt = hash_subject(b"", f"limit {policy.name}".encode())
        self.shown = f'"{policy.name}";r=%d;t=%d'.encode()
        value = f'"{policy.name}";q={policy.amount};w={policy.seconds}'
        self.policy_header = (b"ratelimit-policy", value.encode())


class Usage:
    """The client and time of a request, and the counted limit that is closest to exhaustion."""

    __slots__ = ("ends", "left", "network", "now", "rule")

    def __init__(self, network: int, now: int) -> None:
        self.network, self.now = network, now
        self.rule: Rule | None = None
        self.left = self.ends = 0

    def seconds(self) -> int:
        return max(1, math.ceil((self.ends - self.now) / 1000))


class Limiter:
    """Counts requests, and raises `RateLimited` above a limit.

    A window begins with its first request. `count`, for frequent requests, reports to Redis in steps of a fiftieth
    of the limit, so each node may exceed it by that much. `hit` asks Redis each time: the limit holds for all
    nodes together.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        *,
        key: bytes,
        clock: Callable[[], datetime],
        counts: Counts,
        redis_url: str | None = None,
        on: bool = True,
    ) -> None:
        self.key, self.on = key, on
        self._rules = {name: Rule(policy) for name, policy in policies.items()}
        self._clock, self._counts = clock, counts
        self._shared = SharedCounts(redis_url) if redis_url and on else None
        self._telling: set[asyncio.Task[Total | None]] = set()

    def count(self, scope: Scope, name: str) -> None:
        """Count a request of this network, without waiting for Redis."""
        if not self.on:
            return
        rule, asked, counts = self._rules[name], self._asked(scope), self._counts
        key = asked.network ^ rule.salt
        at = counts.place(key, asked.now, rule.window_ms)
        counts.numbers[at] += 1
        if self._shared is not None:
            counts.unsynced[at] += 1
            if counts.unsynced[at] * STEPS >= rule.amount and self._shared.is_available():
                task = asyncio.create_task(self._tell(self._shared, rule, key, waited_for=False))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)
        _judge(asked, rule, counts.numbers[at], counts.ends[at])

    async def hit(self, scope: Scope, name: str, subject: str | None = None) -> None:
        """Count a request of this network, or of the `subject` of the limit."""
        if not self.on:
            return
        rule, asked, counts = self._rules[name], self._asked(scope), self._counts
        who = asked.network if subject is None else hash_subject(self.key, subject.encode())
        key = who ^ rule.salt
        asked.now = self._now()
        at = counts.place(key, asked.now, rule.window_ms)
        counts.numbers[at] += 1
        count = counts.numbers[at]  # before the await: later requests must not count against this one
        if self._shared is not None:
            counts.unsynced[at] += 1
            if self._shared.is_available():
                total = await self._tell(self._shared, rule, key, waited_for=True)
                count = max(count, total.number if total else 0)
                at = counts.place(key, asked.now, rule.window_ms)  # it may have been evicted during the await
        _judge(asked, rule, count, counts.ends[at])

    def check(self, scope: Scope, name: str) -> None:
        """Raise if the limit is already reached. Count nothing."""
        if not self.on:
            return
        rule, asked = self._rules[name], self._asked(scope)
        at = self._counts.find(asked.network ^ rule.salt)
        if at is not None:
            ends = self._counts.ends[at]
            if self._counts.numbers[at] >= rule.amount and asked.now < ends <= asked.now + 2 * rule.window_ms:
                _refuse(asked, rule, ends)

    async def close(self) -> None:
        if self._telling:
            await asyncio.wait(self._telling)
        if self._shared is not None:
            await self._shared.close()

    async def _tell(self, shared: SharedCounts, rule: Rule, key: int, *, waited_for: bool) -> Total | None:
        counts = self._counts
        at = counts.place(key, self._now(), rule.window_ms)
        unsynced, counts.unsynced[at] = counts.unsynced[at], 0
        total = await shared.add(key, unsynced, rule.window_ms, waited_for=waited_for)
        now = self._now()
        at = counts.place(key, now, rule.window_ms)
        if total is None:
            # Reported when Redis is back. A report just before the failure counts twice, which is the safe side.
            counts.unsynced[at] += unsynced
            return None
        # The greater of the two: an emptied server must not reset the limit.
        counts.numbers[at] = max(counts.numbers[at], total.number + counts.unsynced[at])
        counts.ends[at] = min(counts.ends[at], now + total.left)
        return total

    def _asked(self, scope: Scope) -> Usage:
        state = scope["state"]
        asked: Usage | None = state.get(ASKED)
        if asked is None:
            asked = state[ASKED] = Usage(hash_subject(self.key, network_prefix(scope)), self._now())
        return asked

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _judge(asked: Usage, rule: Rule, count: int, ends: int) -> None:
    left = rule.amount - count
    if left < 0:
        _refuse(asked, rule, ends)
    nearest = asked.rule
    if nearest is None or left * nearest.amount < asked.left * rule.amount:
        asked.rule, asked.left, asked.ends = rule, left, ends


def _refuse(asked: Usage, rule: Rule, ends: int) -> None:
    asked.rule, asked.left, asked.ends = rule, 0, ends
    raise RateLimited(headers={"Retry-After": str(asked.seconds())})


def headers(scope: Scope, status: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return the rate limit headers (draft-ietf-httpapi-ratelimit-headers, version 8 and later).

    Not sent with other errors: responses that must reveal nothing are identical in every header.
    """
    asked: Usage | None = scope["state"].get(ASKED)
    if asked is None or asked.rule is None or (status >= 400 and status != RateLimited.status):
        return ()
    rule = asked.rule
    return rule.policy_header, (b"ratelimit", rule.shown % (asked.left, asked.seconds()))


def network_prefix(scope: Scope) -> bytes:
    """Return the network whose requests count together: an IPv4 address, or the /64 of an IPv6 address.

    The address is the peer's, or the one that a trusted proxy reports.
    """
    host: str = scope["client"][0] if scope.get("client") else ""
    try:
        if ":" not in host:
            return socket.inet_pton(socket.AF_INET, host)
        address = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):
        return b""
    return address[12:] if address.startswith(_MAPPED) else address[:8]


_MAPPED = bytes(10) + b"\xff\xff"


def hash_subject(key: bytes, text: bytes) -> int:
    """Return a 64-bit keyed hash under which a subject is counted."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=key).digest())
