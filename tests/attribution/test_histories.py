"""Who referred a person: the table of histories."""

import asyncio
from collections import Counter

import pytest

from attribution.histories import HISTORIES, HOUR, History
from goodword.attribution.service import Attributed, Reason, Refused


@pytest.mark.parametrize("name", HISTORIES)
async def test_a_history_has_the_expected_referrer_or_reason(world, rows, name):
    history = HISTORIES[name]
    made = await world(history)
    [(before,)] = await rows("SELECT sum(uses) FROM referral_codes")

    found = await made.claim()

    [(after,)] = await rows("SELECT sum(uses) FROM referral_codes")
    if isinstance(found, Attributed):
        code = made.codes[found.referrer_external_id]
        assert (found.referrer_external_id, found.attributed_by) == (history.expected, history.by)
        assert (found.referrer_id, found.code_id) == (code.owner_id, code.id)
        assert after == before + 1
    else:
        reason = found.reason if isinstance(found, Refused) else None
        assert (reason, after) == (history.expected, before)


@pytest.mark.parametrize("brought", [{"code": "alice"}, {"touches": [("alice", HOUR)]}])
async def test_25_people_at_once_use_a_code_for_10(world, rows, brought):
    made = await world(History(expected="alice", codes={"alice": {"max_uses": 10}}, **brought))

    answers = await asyncio.gather(*(made.claim(f"person{n}") for n in range(25)))

    given = Counter(answer.reason if isinstance(answer, Refused) else "attributed" for answer in answers)
    assert given == {"attributed": 10, Reason.CODE_USED_UP: 15}
    assert await rows("SELECT uses FROM referral_codes WHERE max_uses = 10") == [(10,)]
    assert await rows("SELECT count(*), count(DISTINCT referee_id) FROM referrals") == [(10, 10)]


def test_every_reason_is_in_the_table():
    expected = {history.expected for history in HISTORIES.values()}
    assert set(Reason) - expected == {Reason.REFERRAL_CYCLE}  # in test_circles.py
