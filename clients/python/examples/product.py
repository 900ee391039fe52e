"""The server of a product reports a user, with an API key, and reads by whom the user was referred."""

import asyncio
import sys

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

        try:
            await goodword.get_participant("user-1")
        except errors.NotFound as error:
            print(error.code, error.request_id is not None)


asyncio.run(main(*sys.argv[1:]))
