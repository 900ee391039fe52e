"""Why a user was attributed to a referrer, or was not: what administrators see."""

import pytest

from attribution.histories import DAY, HOUR, TWO_TOUCHES, History

OWN_CODE = History(code="alice", existing={"signed_up": HOUR, "is": "alice"}, expected="self_referral")
LATE = {"signed_up": 2 * DAY}


async def shown(rita, rows, external_id="person"):
    [(user_id,)] = await rows("SELECT id FROM users WHERE external_id = :name", name=external_id)
    answer = await rita.get(f"/api/v1/admin/users/{user_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_click_is_told_with_its_time_and_host(world, rita, rows):
    made = await world(History(expected="bob", touches=TWO_TOUCHES))
    await made.claim()

    [found] = (await shown(rita, rows))["attributions"]

    assert (found["attributed_by"], found["code"], found["program"]) == ("touch", "B0BB0B", "default")
    assert (found["referrer"], found["referrer_id"]) == ("Bob", str(made.owners["bob"].id))
    assert (found["host"], found["status"]) == ("blog.example", "confirmed")
    assert found["touched_at"] < found["created_at"]


async def test_an_entered_code_is_told(world, rita, rows):
    await (await world(History(expected="alice", code="alice"))).claim()

    [found] = (await shown(rita, rows))["attributions"]

    assert (found["attributed_by"], found["referrer"]) == ("code", "Alice")


async def test_there_is_one_in_each_program(world, rita, rows):
    history = History(expected="alice", code="alice", existing={"signed_up": HOUR, "referred_by": "dave"})
    await (await world(history)).claim()

    seen = await shown(rita, rows)

    assert {(one["program"], one["referrer"]) for one in seen["attributions"]} == {
        ("default", "Alice"),
        ("other", "Dave"),
    }
    assert seen["referred_by"] in {"Alice", "Dave"}


@pytest.mark.parametrize(
    ("history", "refusal"),
    [
        (
            History(code="alice", expected="already_registered", existing=LATE),
            ("already_registered", "A11CEA11"),
        ),
        (History(code="ZZZZ-9", expected="code_unknown", existing=LATE), ("code_unknown", None)),
    ],
)
async def test_a_refusal_is_told_once(world, rita, rows, history, refusal):
    made = await world(history)
    for _ in range(3):
        found = await made.claim()
        assert found.reason == history.expected

    told = (await shown(rita, rows))["refusals"]
    assert [(one["reason"], one["code"]) for one in told] == [refusal]
    assert await rows("SELECT count(*) FROM audit_events WHERE action = 'referral.refused'") == [(1,)]


async def test_another_reason_is_told_too(world, rita, rows):
    made = await world(OWN_CODE)
    await made.claim()
    made.history = History(code="ZZZZ-9", expected="code_unknown", existing=OWN_CODE.existing)
    await made.claim()

    seen = await shown(rita, rows, "alice")

    assert [one["reason"] for one in seen["refusals"]] == ["code_unknown", "self_referral"]
    assert [one["program"] for one in seen["refusals"]] == [None, "default"]
