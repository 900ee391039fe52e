"""Who referred a person: the table of histories."""

import pytest

from attribution.histories import HISTORIES
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


def test_every_reason_is_in_the_table():
    expected = {history.expected for history in HISTORIES.values()}
    assert set(Reason) - expected == {Reason.REFERRAL_CYCLE}  # in test_circles.py
