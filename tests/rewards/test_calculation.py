"""Amounts of rewards, for any numbers."""

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from goodword.events.schemas import MAX_MINOR
from goodword.rewards import calculation
from goodword.rewards.models import RewardRule

settings.register_profile("amounts", deadline=None, derandomize=True)
settings.load_profile("amounts")

amounts = st.one_of(
    st.integers(0, 10_000), st.integers(0, MAX_MINOR), st.sampled_from([0, 1, MAX_MINOR - 1, MAX_MINOR])
)
basis_points = st.integers(1, calculation.WHOLE)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe")
"""With daylight saving, quarters of an hour, half an hour of daylight saving, and a day that does not exist."""


@given(amounts, basis_points)
def test_e74_a_share_is_rounded_half_to_even(amount, points):
    with localcontext() as context:
        context.prec = 50
        expected = (Decimal(amount) * points / 10_000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)

    assert calculation.share(amount, points) == int(expected)


@given(st.integers(0, 10**30), st.integers(1, 10**30))
def test_a_quotient_is_rounded_as_an_exact_fraction(numerator, denominator):
    assert calculation.divide(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("amount", "points", "expected"),
    [(50, 100, 0), (150, 100, 2), (250, 100, 2), (350, 100, 4), (5, 1000, 0), (15, 1000, 2), (25, 1000, 2)],
)
def test_e74_halves_go_to_the_even_neighbor(amount, points, expected):
    assert calculation.share(amount, points) == expected


@given(st.lists(amounts, max_size=20), basis_points)
def test_e74_shares_of_parts_differ_from_the_share_of_the_sum_by_half_a_unit_each(parts, points):
    total = sum(calculation.share(part, points) for part in parts)

    assert abs(total - Fraction(sum(parts) * points, calculation.WHOLE)) <= Fraction(len(parts), 2)


@given(amounts, basis_points, st.integers(0, 10))
def test_a_share_grows_with_the_amount_and_never_exceeds_it(amount, points, more):
    share = calculation.share(amount, points)

    assert 0 <= share <= amount
    assert calculation.share(amount + more, points) >= share


@given(st.integers(1, MAX_MINOR), st.integers(1, MAX_MINOR), st.lists(st.integers(1, MAX_MINOR), max_size=8))
def test_refunds_take_back_more_and_more_and_in_the_end_all(reward, paid, refunds):
    refunded, left = 0, calculation.remaining(reward, paid_minor=paid, refunded_minor=0)
    assert left == reward

    for refund in refunds:
        refunded += refund
        now_left = calculation.remaining(reward, paid_minor=paid, refunded_minor=refunded)
        assert 0 <= now_left <= left
        left = now_left

    assert calculation.remaining(reward, paid_minor=paid, refunded_minor=max(refunded, paid)) == 0


@given(st.integers(1, MAX_MINOR), st.integers(1, MAX_MINOR), st.data())
def test_what_refunds_leave_does_not_depend_on_their_order(reward, paid, data):
    refunds = data.draw(st.lists(st.integers(1, paid), max_size=6))
    shuffled = data.draw(st.permutations(refunds))

    def left_after(order):
        left, refunded = reward, 0
        for refund in order:
            refunded += refund
            left -= left - calculation.remaining(reward, paid_minor=paid, refunded_minor=refunded)
        return left

    assert left_after(refunds) == left_after(shuffled)


def rule_of(tiers):
    return RewardRule(tiers=json.dumps(tiers))


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(1, MAX_MINOR)),
        min_size=1,
        max_size=20,
        unique_by=lambda t: t[0],
    ),
    st.integers(0, 120),
)
def test_the_highest_tier_that_is_reached_counts(tiers, referrals):
    tiers = sorted(tiers)
    rule = rule_of([{"from": start, "amount_minor": amount} for start, amount in tiers])

    expected = [amount for start, amount in tiers if start <= referrals]

    assert calculation.amount_of(rule, None, referrals=referrals) == (expected[-1] if expected else None)
    most = min(referrals, calculation.most_referrals(rule))
    assert calculation.amount_of(rule, None, referrals=most) == (expected[-1] if expected else None)


@given(amounts, basis_points)
def test_a_tier_can_be_a_share(amount, points):
    rule = rule_of([{"from": 0, "basis_points": points}])

    assert calculation.amount_of(rule, amount, referrals=0) == calculation.share(amount, points)
    assert calculation.needs_amount(rule)


moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments, st.sampled_from(ZONES))
def test_a_month_is_that_of_the_wall_clock(moment, zone):
    local = moment.astimezone(ZoneInfo(zone))

    assert calculation.month_of(moment, zone) == f"{local.year}-{local.month:02}"


@given(st.integers(2025, 2027), st.integers(1, 12), st.sampled_from(ZONES))
def test_a_month_begins_at_local_midnight_also_with_daylight_saving(year, month, zone):
    begin = datetime(year, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    before = begin - timedelta(microseconds=1)

    assert calculation.month_of(begin, zone) == f"{year}-{month:02}"
    assert calculation.month_of(before, zone) == (f"{year}-{month - 1:02}" if month > 1 else f"{year - 1}-12")


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2026-10-31T22:59:59.999999+00:00", "2026-10"),  # Berlin has left daylight saving a week before
        ("2026-10-31T23:00:00+00:00", "2026-11"),
        ("2026-03-31T21:59:59.999999+00:00", "2026-03"),
        ("2026-03-31T22:00:00+00:00", "2026-04"),
        ("2026-04-01T00:30:00+02:00", "2026-04"),
        ("2026-03-31T17:59:59-04:00", "2026-03"),
    ],
)
def test_months_in_berlin(moment, month):
    assert calculation.month_of(datetime.fromisoformat(moment), "Europe/Berlin") == month
