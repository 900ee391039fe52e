"""The server of a product reports users and a purchase, with an API key, and reads what the referrer earns."""

import asyncio
import sys
from datetime import UTC, datetime

from goodword_client import AsyncGoodword, errors, models


async def main(url: str, key: str) -> None:
    async with AsyncGoodword(url, key) as goodword:
        alice = await goodword.upsert_participant("user-7", models.ParticipantWrite(first_name="Alice"))
        assert alice.code is not None
        bob = models.ParticipantWrite(first_name="Bob", referral_code=alice.code.code)
        created = await goodword.upsert_participant("user-42", bob)
        assert created.referral is not None
        print(created.referral.referrer.external_id)

        async for referral in goodword.each(goodword.list_participant_referrals, "user-7"):
            print(referral.referee.external_id)

        rule = models.RewardRuleTerms(
            trigger="purchase",
            beneficiary=models.Beneficiary.REFERRER,
            kind=models.RewardKind.CREDIT,
            basis_points=1000,
        )
        await goodword.create_reward_rule("default", rule)
        order = models.EventCreate(
            id="order-1",
            type_="purchase",
            participant={"external_id": "user-42"},
            occurred_at=datetime.now(UTC),
            amount=models.MoneyAmount(minor=4990, currency="USD"),
        )
        for reward in (await goodword.create_event(order)).rewards:
            print(reward.participant.external_id, reward.amount_minor, reward.status)

        try:
            await goodword.get_participant("user-1")
        except errors.NotFound as error:
            print(error.code, error.request_id is not None)


asyncio.run(main(*sys.argv[1:]))
