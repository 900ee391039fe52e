"""Rate limits. An endpoint declares `dependencies=[limited("sign-up")]`.

Counts are kept in the memory of the node and, if configured, in Redis or Valkey. While that is unavailable, each
node enforces the limits by its own counts. `docs/decisions/0017-rate-limits.md` explains why.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.types import Scope

from goodword import ip_address
from goodword.config import rate_limits
from goodword.config.rate_limits import Policy
from goodword.config.settings import Settings
from goodword.crypto import derive_key
from goodword.errors import TooManyRequests
from goodword.rate_limits.counters import Counts
from goodword.telemetry.metrics import RATE_LIMITED, Metrics

if TYPE_CHECKING:
    from goodword.rate_limits.shared_counters import SharedCounts, Total

STEPS = 50
"""Steps of a limit. A node reports to Redis after each, where it does not ask each time."""
USAGE = "limits"
"""Key in the state of a request: its `Usage`."""


class RateLimited(TooManyRequests):
    code, detail = "rate_limited", "Too many requests. `Retry-After` says in how many seconds to come back."


class Rule:
    """A policy in the form that the hot path uses."""

    __slots__ = ("amount", "policy_header", "refused", "salt", "shown", "window_ms")

    def __init__(self, policy: Policy, metrics: Metrics) -> None:
        self.amount, self.window_ms = policy.amount, policy.seconds * 1000
        self.salt = hash_subject(b"", f"limit {policy.name}".encode())
        self.refused = partial(metrics.add, RATE_LIMITED, policy.name)
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

    def __init__(self, settings: Settings, clock: Callable[[], datetime], metrics: Metrics) -> None:
        self.key, self.on = derive_key(settings.secret, "rate limits"), settings.rate_limits == "on"
        policies = rate_limits.parse(settings.limits)
        self._rules = {name: Rule(policy, metrics) for name, policy in policies.items()}
        self._clock, self._counts = clock, Counts()
        self._shared = _shared_counts(settings.redis) if settings.redis and self.on else None
        self._reports: set[asyncio.Task[Total | None]] = set()

    def count(self, scope: Scope, name: str) -> None:
        """Count a request of this network, without waiting for Redis."""
        if not self.on:
            return
        rule, usage, counts = self._rules[name], self._usage(scope), self._counts
        key = usage.network ^ rule.salt
        at = counts.place(key, usage.now, rule.window_ms)
        counts.numbers[at] += 1
        if self._shared is not None:
            counts.unsynced[at] += 1
            if counts.unsynced[at] * STEPS >= rule.amount and self._shared.is_available():
                task = asyncio.create_task(self._report(self._shared, rule, key, waited_for=False))
                self._reports.add(task)
                task.add_done_callback(self._reports.discard)
        _judge(usage, rule, counts.numbers[at], counts.ends[at])

    async def hit(self, scope: Scope, name: str, subject: str | None = None) -> None:
        """Count a request of this network, or of the `subject` of the limit."""
        if not self.on:
            return
        rule, usage, counts = self._rules[name], self._usage(scope), self._counts
        who = usage.network if subject is None else hash_subject(self.key, subject.encode())
        key = who ^ rule.salt
        usage.now = self._now()
        at = counts.place(key, usage.now, rule.window_ms)
        counts.numbers[at] += 1
        count = counts.numbers[at]  # before the await: later requests must not count against this one
        if self._shared is not None:
            counts.unsynced[at] += 1
            if self._shared.is_available():
                total = await self._report(self._shared, rule, key, waited_for=True)
                count = max(count, total.number if total else 0)
                at = counts.place(key, usage.now, rule.window_ms)  # it may have been evicted during the await
        _judge(usage, rule, count, counts.ends[at])

    def check(self, scope: Scope, name: str) -> None:
        """Raise if the limit is already reached. Count nothing."""
        if not self.on:
            return
        rule, usage = self._rules[name], self._usage(scope)
        at = self._counts.find(usage.network ^ rule.salt)
        if at is not None:
            ends = self._counts.ends[at]
            if self._counts.numbers[at] >= rule.amount and usage.now < ends <= usage.now + 2 * rule.window_ms:
                _refuse(usage, rule, ends)

    async def close(self) -> None:
        if self._reports:
            await asyncio.wait(self._reports)
        if self._shared is not None:
            await self._shared.close()

    async def _report(
        self, shared: "SharedCounts", rule: Rule, key: int, *, waited_for: bool
    ) -> "Total | None":
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

    def _usage(self, scope: Scope) -> Usage:
        state = scope["state"]
        usage: Usage | None = state.get(USAGE)
        if usage is None:
            client = scope.get("client")  # the peer, or the address that a trusted proxy reports
            network = ip_address.network(client[0] if client else "")
            usage = state[USAGE] = Usage(hash_subject(self.key, network), self._now())
        return usage

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _shared_counts(url: str) -> "SharedCounts":
    from goodword.rate_limits.shared_counters import SharedCounts

    return SharedCounts(url)


def _judge(usage: Usage, rule: Rule, count: int, ends: int) -> None:
    left = rule.amount - count
    if left < 0:
        _refuse(usage, rule, ends)
    nearest = usage.rule
    if nearest is None or left * nearest.amount < usage.left * rule.amount:
        usage.rule, usage.left, usage.ends = rule, left, ends


def _refuse(usage: Usage, rule: Rule, ends: int) -> None:
    usage.rule, usage.left, usage.ends = rule, 0, ends
    rule.refused()
    raise RateLimited(headers={"Retry-After": str(usage.seconds())})


def headers(scope: Scope, status: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return the rate limit headers (draft-ietf-httpapi-ratelimit-headers, version 8 and later).

    Not sent with other errors: responses that must reveal nothing are identical in every header.
    """
    usage: Usage | None = scope["state"].get(USAGE)
    if usage is None or usage.rule is None or (status >= 400 and status != RateLimited.status):
        return ()
    rule = usage.rule
    return rule.policy_header, (b"ratelimit", rule.shown % (usage.left, usage.seconds()))


def hash_subject(key: bytes, text: bytes) -> int:
    """Return a 64-bit keyed hash under which a subject is counted."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=key).digest())
