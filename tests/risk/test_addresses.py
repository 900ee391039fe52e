"""Addresses that speak against a referral: of a mailbox that is known, or disposable."""

import pytest

from participants.conftest import Server
from people import join, make_code, referrals_of
from second_service import second_service
from server_keys import make_key

GMAIL, SAME = "carol.d@gmail.com", "carold+2@googlemail.com"
DISPOSABLE = "x@mailinator.com"


async def test_e39_a_folded_address_is_a_signal_and_no_refusal(api, signals):
    carol = await join(api, "carol", email=GMAIL)
    code = (await make_code(carol))["code"]
    await join(api, "again", email=SAME, referral_code=code)
    await join(api, "dave", referral_code=code)

    assert await signals() == {"carold+2": {"same_mailbox": "medium"}}
    assert [one["status"] for one in await referrals_of(carol)] == ["confirmed"] * 2


async def test_e39_reported_addresses_are_folded_too(app, api, signals):
    acme = Server(api, await make_key(app, ("participants:read", "participants:write")))
    code = (await acme.report("carol", email=GMAIL))["code"]["code"]
    again = await acme.report("again", email=SAME, referral_code=code)
    await acme.report("dave", email="dave@example.com", referral_code=code)

    assert again["referral"]["status"] == "confirmed"
    assert await signals() == {"again": {"same_mailbox": "medium"}}


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("setting", "expected", "status"),
    [("allow", {}, "confirmed"), ("hold", {"same_mailbox": "high"}, "held")],
)
async def test_a_setting_allows_or_holds_one_mailbox(database_url, api, signals, setting, expected, status):
    carol = await join(api, "carol", email=GMAIL)
    code = (await make_code(carol))["code"]
    async with second_service(database_url, self_referrals=setting) as client:
        await join(client, "again", email=SAME, referral_code=code)

    assert (await signals()).get("carold+2", {}) == expected
    assert [one["status"] for one in await referrals_of(carol)] == [status]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("setting", "level", "status"), [("allow", "medium", "confirmed"), ("hold", "high", "held")]
)
async def test_a_disposable_address_is_flagged_or_held(database_url, alice, signals, setting, level, status):
    code = (await make_code(alice))["code"]
    async with second_service(database_url, email_disposable=setting) as client:
        await join(client, "x", email=DISPOSABLE, referral_code=code)

    assert await signals() == {"x": {"disposable_address": level}}
    assert [one["status"] for one in await referrals_of(alice)] == [status]


@pytest.mark.one_database
async def test_e82_an_allowed_domain_is_not_flagged(database_url, api, signals):
    carol = await join(api, "carol", email=GMAIL)
    code = (await make_code(carol))["code"]
    allowed = "mailinator.com,GMAIL.com googlemail.com"
    async with second_service(database_url, risk_allowed_domains=allowed) as client:
        await join(client, "x", email=DISPOSABLE, referral_code=code)
        await join(client, "y", email="y@sub.mailinator.com", referral_code=code)
        await join(client, "again", email=SAME, referral_code=code)
        await join(client, "z", email="z@notmailinator.com.yopmail.com", referral_code=code)

    assert await signals() == {"z": {"disposable_address": "medium"}}
