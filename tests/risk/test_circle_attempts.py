"""A refused circle is a signal of the referral that it would have closed."""

import asyncio

import pytest

from participants.conftest import Server
from server_keys import make_key


@pytest.fixture
async def acme(app, api):
    return Server(api, await make_key(app, ("participants:read", "participants:write", "referrals:review")))


async def test_a_refused_circle_is_a_signal_of_the_referral(acme, signals, rows):
    alice = await acme.report("alice")
    bob = await acme.report("bob", referral_code=alice["code"]["code"])
    carol = await acme.report("carol", referral_code=bob["code"]["code"])

    again = await acme.report("alice", referral_code=carol["code"]["code"])

    assert (again["referral"], again["warnings"]) == (None, ["referral_cycle"])
    assert await signals() == {"carol": {"circle_attempt": "medium"}}
    assert (await acme.read("carol"))["referral"]["status"] == "confirmed"
    (referral_id,) = (await rows("SELECT referral_id FROM risk_signals"))[0]
    (lost,) = (await acme.call("POST", f"/api/v1/referrals/{referral_id}/accept")).json()["signals"]
    assert lost["text"] == (
        "A person who referred the new user, directly or not, tried to join with the new user's code."
    )


async def test_attempts_at_once_make_one_signal(acme, signals):
    alice = await acme.report("alice")
    bob = await acme.report("bob", referral_code=alice["code"]["code"])

    answers = await asyncio.gather(*(acme.put("alice", referral_code=bob["code"]["code"]) for _ in range(5)))

    assert [answer.json()["warnings"] for answer in answers] == [["referral_cycle"]] * 5
    assert await signals() == {"bob": {"circle_attempt": "medium"}}


async def test_another_refusal_is_no_signal(acme, signals):
    alice = await acme.report("alice")

    refused = await acme.report("alice", referral_code=alice["code"]["code"])

    assert refused["warnings"] == ["self_referral"]
    assert await signals() == {}
