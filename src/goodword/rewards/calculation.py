"""Amounts of rewards: whole minor units, and no floating-point numbers."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from goodword.rewards.models import RewardRule

WHOLE = 10_000
"""Basis points of one whole."""


def divide(numerator: int, denominator: int) -> int:
    """Return the quotient of two integers that are not negative, rounded half to even (IEEE 754 §4.3.1)."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient


def share(amount_minor: int, basis_points: int) -> int:
    """Return a part of an amount, in basis points."""
    return divide(amount_minor * basis_points, WHOLE)


def remaining(reward_minor: int, *, paid_minor: int, refunded_minor: int) -> int:
    """Return what a reward for a payment is worth after refunds: the same part as of the payment is left."""
    left = max(paid_minor - refunded_minor, 0)
    return divide(reward_minor * left, paid_minor) if paid_minor else 0


def tiers_of(rule: RewardRule) -> Sequence[Mapping[str, int]]:
    """Return the tiers of a rule, by their `from`."""
    return json.loads(rule.tiers) if rule.tiers is not None else []


def most_referrals(rule: RewardRule) -> int:
    """Return the number of referrals from which on more of them change nothing. Zero without tiers."""
    tiers = tiers_of(rule)
    return tiers[-1]["from"] if tiers else 0


def amount_of(rule: RewardRule, event_minor: int | None, *, referrals: int) -> int | None:
    """Return what an event earns by a rule, before limits and refunds. None: the referrer reached no tier.

    `referrals` is the number of confirmed referrals of the referrer. It counts for rules with tiers alone.
    """
    terms: Mapping[str, int | None] = {
        "amount_minor": rule.amount_minor,
        "basis_points": rule.basis_points,
    }
    if rule.tiers is not None:
        reached = [tier for tier in tiers_of(rule) if tier["from"] <= referrals]
        if not reached:
            return None
        terms = reached[-1]
    basis_points = terms.get("basis_points")
    if basis_points is not None:
        return share(event_minor or 0, basis_points)
    return terms.get("amount_minor")


def needs_amount(rule: RewardRule) -> bool:
    """Return whether the amount of the event matters."""
    return (
        rule.basis_points is not None
        or rule.min_amount_minor is not None
        or any("basis_points" in tier for tier in tiers_of(rule))
    )


def month_of(moment: datetime, time_zone: str) -> str:
    """Return the month of a time in a time zone, such as `2026-11`."""
    return moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m")
