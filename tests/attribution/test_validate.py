"""POST /api/v1/referral-codes/validate"""

import pytest

from attribution.histories import DAY, HOUR, History
from attribution.world import build
from goodword.api_keys import service as api_keys
from second_service import second_service

PATH = "/api/v1/referral-codes/validate"
NOTHING = History(expected=None)
READ = ["participants:read"]


@pytest.fixture
def key_for(app):
    """Return a function that makes a key, and returns the header with it."""

    async def header(scope=READ, program_id=None):
        services = app.state.services
        async with services.database.transaction() as session:
            _, text = await api_keys.create(
                session,
                services.keys.api_keys,
                name=f"key of {program_id}",
                scope=scope,
                program_id=program_id,
                now=services.clock(),
            )
        return {"Authorization": f"Bearer {text}"}

    return header


@pytest.fixture
async def ask(api, key_for):
    """Return a function that validates a code with a key for all programs."""
    headers = await key_for()

    async def send(code, **fields):
        answer = await api.post(PATH, json={"code": code, **fields}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return send


async def test_a_server_learns_all_about_a_usable_code(world, ask):
    made = await world(NOTHING)
    code = made.codes["alice"]

    answer = await ask(f"https://go.example/r/{code.code.lower()}")

    assert answer.pop("expires_at") == code.expires_at.isoformat().replace("+00:00", "Z")
    assert answer == {
        "usable": True,
        "code": code.code,
        "program": "default",
        "referrer": {"display_name": "Alice", "external_id": "alice"},
    }


REASONS = {
    "code_unknown": History(code="ZZZZ-9", expected="code_unknown"),
    "code_expired": History(code="alice", codes={"alice": {"ends": 1}}, expected="code_expired"),
    "code_retired": History(
        code="alice", codes={"alice": {"retired": 1, "why": "deleted"}}, expected="code_retired"
    ),
    "code_used_up": History(
        code="alice", codes={"alice": {"max_uses": 1, "uses": 1}}, expected="code_used_up"
    ),
    "program_not_active": History(code="alice", program={"status": "paused"}, expected="program_not_active"),
    "referrer_not_active": History(
        code="alice", owners={"alice": {"status": "disabled"}}, expected="referrer_not_active"
    ),
    "self_referral": History(
        code="alice", existing={"signed_up": HOUR, "is": "alice"}, expected="self_referral"
    ),
    "already_referred": History(
        code="alice", existing={"signed_up": HOUR, "referred_by": "bob"}, expected="already_referred"
    ),
    "already_referred by the same": History(
        code="alice", existing={"signed_up": HOUR, "referred_by": "alice"}, expected="already_referred"
    ),
    "already_registered": History(
        code="alice", existing={"signed_up": 2 * DAY}, expected="already_registered"
    ),
    "usable": History(code="alice", existing={"signed_up": HOUR}, expected=None),
}


@pytest.mark.parametrize("name", REASONS)
async def test_a_server_learns_the_reason_and_nothing_is_written(world, api, ask, rows, name):
    history = REASONS[name]
    made = await world(history)
    code = made.codes[history.code].code if history.code in made.codes else history.code
    participant = {}
    if made.person is not None:
        participant = {"participant": {"external_id": made.person.external_id}}
    before = await rows("SELECT (SELECT sum(uses) FROM referral_codes), (SELECT count(*) FROM audit_events)")

    answer = await ask(code, **participant)

    assert (answer["usable"], answer.get("reason")) == (history.expected is None, history.expected)
    after = await rows("SELECT (SELECT sum(uses) FROM referral_codes), (SELECT count(*) FROM audit_events)")
    assert after == before
    others = (await api.post(PATH, json={"code": code})).json()
    assert others == {"usable": made.person is not None}


async def test_a_circle_is_told(world, ask):
    program, bob = {"late_entry_grace": 1000 * DAY}, {"signed_up": HOUR, "is": "bob"}
    made = await world(History(code="alice", existing=bob, program=program, expected="alice"))
    await made.claim()

    answer = await ask(made.codes["bob"].code, participant={"id": str(made.owners["alice"].id)})

    assert answer["reason"] == "referral_cycle"


async def test_a_person_who_is_not_known_is_new(world, ask):
    made = await world(NOTHING)

    answer = await ask(made.codes["alice"].code, participant={"external_id": "user-42"})

    assert answer["usable"] is True


async def test_a_key_of_one_program_knows_no_other(world, api, key_for):
    made = await world(History(expected=None, existing={"signed_up": 9 * DAY}))
    headers = await key_for(program_id=made.programs["dave"])

    async def ask(code, **fields):
        return await api.post(PATH, json={"code": made.codes[code].code, **fields}, headers=headers)

    assert (await ask("alice")).json() == {"usable": False, "reason": "code_unknown"}
    assert (await ask("dave")).json()["usable"] is True
    # Another key reported the person, who would be refused as `already_registered`.
    assert (await ask("dave", participant={"external_id": "person"})).json()["usable"] is True
    assert (await ask("dave", program="default")).json()["code"] == "program_not_found"


async def test_a_program_can_be_named(world, ask, api):
    made = await world(NOTHING)
    code = made.codes["alice"].code

    assert (await ask(code, program="default"))["usable"] is True
    assert await ask(code, program="other") == {"usable": False, "reason": "code_unknown"}
    for program, usable in (("default", True), ("other", False), ("none", False)):
        answer = await api.post(PATH, json={"code": code, "program": program})
        assert answer.json() == {"usable": usable}


@pytest.mark.one_database
@pytest.mark.parametrize(
    "participant", [{}, {"external_id": "x", "id": "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"}]
)
async def test_a_participant_is_named_in_one_way(api, participant):
    answer = await api.post(PATH, json={"code": "ABCD", "participant": participant})

    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["participant_ambiguous"]


@pytest.mark.one_database
async def test_others_learn_no_more_than_by_looking_the_code_up(app, api, alice):
    made = await build(app, History(expected=None, existing={"signed_up": 9 * DAY}))
    code, participant = made.codes["alice"].code, {"external_id": "person"}

    body = {"code": code, "participant": participant}
    for answer in (await api.post(PATH, json=body), await alice.post(PATH, body)):
        assert answer.json() == {"usable": True}


@pytest.mark.one_database
async def test_a_key_needs_the_scope(api, key_for):
    headers = await key_for(["events:read"])

    answer = await api.post(PATH, json={"code": "ABCD"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.one_database
async def test_guesses_count_as_look_ups_that_find_nothing(database_url, api):
    async with second_service(database_url, limits="look-up-missing=2/minute") as client:
        guesses = [await client.post(PATH, json={"code": f"ABCD-{n}"}) for n in range(3)]
        look_up = await client.get("/api/v1/referral-codes/ABCD-9")

    assert [answer.status_code for answer in guesses] == [200, 200, 429]
    assert look_up.status_code == 429
