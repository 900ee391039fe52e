"""Terms of reward rules, and amounts of events: drawn from a few values whose bounds meet."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st

HOUR = 3600
AMOUNTS = [None, 0, 5, 15, 25, 999, 1000, 10_000, 10_000]
"""Of events. With 10 %, the first of them are halves."""
PERIODS = {"none": (None, None), "begun": (-1, None), "soon": (1, 3), "ends": (None, 1), "over": (-3, -1)}
"""In hours from now."""


def _terms(draw: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "trigger": draw(st.sampled_from(["purchase"] * 4 + ["trial", "sign_up", "referral_confirmed"])),
        "beneficiary": draw(st.sampled_from(["referrer", "referrer", "referee"])),
        "kind": draw(st.sampled_from(["credit", "credit", "points", "coupon", "custom"])),
        "hold": draw(st.sampled_from([0, 0, HOUR, 24 * HOUR])),
        "approval": draw(st.sampled_from(["auto", "auto", "auto", "manual"])),
    }
    amount = draw(st.sampled_from(["amount_minor", "basis_points", "tiers"]))
    found[amount] = draw(
        {
            "amount_minor": st.sampled_from([1, 3, 500]),
            "basis_points": st.sampled_from([1, 1000, 2500, 10_000]),
            "tiers": st.sampled_from(
                [
                    [{"from": 1, "amount_minor": 100}, {"from": 2, "amount_minor": 250}],
                    [{"from": 0, "basis_points": 500}, {"from": 3, "amount_minor": 77}],
                    [{"from": 2, "amount_minor": 9}],
                ]
            ),
        }[amount]
    )
    limits: dict[str, Any] = {
        "min_amount_minor": st.sampled_from([15, 1000]),
        "max_events": st.sampled_from([1, 2]),
        "within": st.sampled_from([HOUR, 24 * HOUR]),
        "cap": st.fixed_dictionaries(
            {"count": st.sampled_from([1, 2]), "per": st.sampled_from(["ever", "month"])}
        ),
    }
    for name in draw(st.sets(st.sampled_from(sorted(limits)), max_size=2)):
        found[name] = draw(limits[name])
    return found


terms = st.composite(_terms)()
periods = st.sampled_from(["none"] * 4 + ["begun", "soon", "ends", "over"])


def with_period(found: dict[str, Any], period: str, now: Any) -> dict[str, Any]:
    """Return terms with a period around a time."""
    limits = zip(("starts_at", "ends_at"), PERIODS[period], strict=True)
    return found | {name: now + timedelta(hours=hours) for name, hours in limits if hours is not None}
