"""Breaks of rewards and of pools of coupons."""

import uuid
from typing import Any

from sqlalchemy import select

from doctor.broken_data import ago
from doctor.patient import Patient
from goodword.codes.models import ReferralCode
from goodword.db.statements import insert
from goodword.events.models import Event
from goodword.programs.models import Program
from goodword.referrals.models import Referral
from goodword.rewards.models import Reward, RewardRule
from goodword.users.models import User

RULE = {
    "rule_id": uuid.uuid4(),
    "version": 1,
    "trigger": "purchase",
    "beneficiary": "referrer",
    "amount_minor": 500,
    "hold_seconds": 0,
    "approval": "auto",
}


async def empty_pool(patient: Patient) -> None:
    async with patient.transaction() as session:
        program_id = await session.scalar(select(Program.id).where(Program.is_default))
        await insert(session, RewardRule, **RULE, program_id=program_id, kind="coupon", created_at=ago())


async def reward_without_entries(patient: Patient) -> None:
    async with patient.transaction() as session:
        program_id = await session.scalar(select(Program.id).where(Program.is_default))
        common: dict[str, Any] = {"program_id": program_id, "created_at": ago(days=1)}
        alice, bob = [
            await insert(session, User, external_id=name, created_at=ago(days=2)) for name in ("alice", "bob")
        ]
        code = await insert(
            session,
            ReferralCode,
            **common,
            owner_id=alice.id,
            code="7KQ2M9XWPA",
            key="7KQ2M9XWPA",
            key_mac=bytes(32),
            kind="generated",
            expires_at=ago(days=-9),
        )
        referral = await insert(
            session,
            Referral,
            **common,
            referrer_id=alice.id,
            referee_id=bob.id,
            code_id=code.id,
            status="confirmed",
            confirmed_at=ago(days=1),
        )
        rule = await insert(session, RewardRule, **RULE, **common, kind="credit")
        event = await insert(
            session,
            Event,
            **common,
            type="purchase",
            participant_id=bob.id,
            source_id="order-1",
            occurred_at=ago(),
        )
        await insert(
            session,
            Reward,
            **common,
            rule_id=rule.rule_id,
            rule_version_id=rule.id,
            event_id=event.id,
            referral_id=referral.id,
            referrer_id=alice.id,
            user_id=alice.id,
            beneficiary="referrer",
            kind="credit",
            amount_minor=500,
            remaining_minor=500,
            currency="USD",
            status="approved",
            available_at=ago(),
            month="2026-11",
        )


CASES = [
    ("reward-entries", "sqlite postgres", reward_without_entries),
    ("coupons", "sqlite postgres", empty_pool),
]
