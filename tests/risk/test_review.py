"""The review of held referrals, by servers with an API key and by administrators."""

from uuid import uuid4

import pytest

from asgi import client_of
from authorization_world import make_program
from participants.conftest import Server
from people import join, make_code, referrals_of
from second_service import second_service
from server_keys import make_key

REVIEW = "/api/v1/referrals"
SCOPES = ("participants:read", "participants:write", "referrals:review")
LIMITS = {"risk_sign_ups_per_hour": 1, "risk_held_sign_ups_per_hour": 2}


@pytest.fixture
async def strict(database_url, api, clock):
    """Yield a client of a service that holds the third sign-up of an hour."""
    async with second_service(database_url, clock=clock, **LIMITS) as client:
        yield client


@pytest.fixture
async def acme(app, api):
    return Server(api, await make_key(app, SCOPES))


@pytest.fixture
async def held(strict, alice, clock):
    """Return the ids of two held referrals, the older one first."""
    code = (await make_code(alice))["code"]
    for name in "abcd":
        clock.forward(seconds=1)
        await join(strict, name, referral_code=code)
    found = await referrals_of(alice, status="held", sort="oldest")
    assert len(found) == 2
    return [one["id"] for one in found]


async def test_held_referrals_are_listed_oldest_first_with_their_signals(acme, alice, held):
    first = (await acme.call("GET", REVIEW, params={"status": "held", "limit": 1})).json()
    second = (await acme.call("GET", REVIEW, params={"cursor": first["next_cursor"]})).json()

    (one,), (other,) = first["items"], second["items"]
    assert [one["id"], other["id"]] == held
    assert second["next_cursor"] is None
    assert (one["program"], one["status"], one["confirmed_at"]) == ("default", "held", None)
    assert one["referrer"] == {"id": alice.id, "external_id": None, "display_name": "Alice L."}
    assert one["referee"]["display_name"] == "C"
    (signal,) = one["signals"]
    assert (signal["kind"], signal["level"]) == ("velocity", "high")
    assert signal["text"] == "3 people signed up with this code within an hour."


async def test_e79_an_accepted_referral_has_its_original_time(acme, alice, held, clock, rows):
    clock.forward(days=2)
    accepted = await acme.call("POST", f"{REVIEW}/{held[0]}/accept")
    again = await acme.call("POST", f"{REVIEW}/{held[0]}/accept")

    assert accepted.status_code == again.status_code == 200
    assert accepted.json() == again.json()
    assert accepted.json()["status"] == "confirmed"
    assert accepted.json()["confirmed_at"] == accepted.json()["created_at"]
    assert [one["id"] for one in (await acme.call("GET", REVIEW)).json()["items"]] == held[1:]
    assert await rows("SELECT decision, reason, actor FROM reviews") == [("accepted", None, "server")]


async def test_a_rejected_referral_keeps_its_first_reason(acme, alice, held, rows):
    path = f"{REVIEW}/{held[0]}/reject"
    rejected = await acme.call("POST", path, json={"reason": "Twice"})
    again = await acme.call("POST", path, json={"reason": "Other"})
    accepted = await acme.call("POST", f"{REVIEW}/{held[0]}/accept")

    assert rejected.json() == again.json()
    assert (rejected.json()["status"], rejected.json()["reason"]) == ("rejected", "Twice")
    assert (accepted.status_code, accepted.json()["code"]) == (409, "referral_rejected")
    assert await rows("SELECT decision, reason, actor FROM reviews") == [("rejected", "Twice", "server")]


async def test_a_repeated_request_gets_the_stored_answer(acme, held):
    headers = {"Idempotency-Key": "once"}
    first = await acme.call("POST", f"{REVIEW}/{held[0]}/reject", json={"reason": "x"}, headers=headers)
    again = await acme.call("POST", f"{REVIEW}/{held[0]}/reject", json={"reason": "x"}, headers=headers)
    other = await acme.call("POST", f"{REVIEW}/{held[1]}/reject", json={"reason": "x"}, headers=headers)

    assert first.json() == again.json()
    assert other.json()["code"] == "idempotency_key_reused"


async def test_a_key_of_another_program_sees_and_decides_nothing(app, api, acme, held):
    async with app.state.services.database.transaction() as session:
        program = await make_program(session, app.state.services.clock())
    other = Server(api, await make_key(app, SCOPES, program_id=program.id))

    assert (await other.call("GET", REVIEW)).json()["items"] == []
    for path, body in (("accept", None), ("reject", {"reason": "x"})):
        answer = await other.call("POST", f"{REVIEW}/{held[0]}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "referral_not_found")
    assert len((await acme.call("GET", REVIEW)).json()["items"]) == 2


async def test_an_unknown_referral_is_not_found(acme):
    answer = await acme.call("POST", f"{REVIEW}/{uuid4()}/accept")

    assert (answer.status_code, answer.json()["code"]) == (404, "referral_not_found")


async def test_administrators_review_with_the_same_operations(rita, held, rows):
    (one, _) = (await rita.get(REVIEW)).json()["items"]
    assert one["id"] == held[0]
    accepted = await rita.post(f"{REVIEW}/{held[0]}/accept", None)
    rejected = await rita.post(f"{REVIEW}/{held[1]}/reject", {"reason": "Twice"})

    assert (accepted.json()["status"], rejected.json()["status"]) == ("confirmed", "rejected")
    assert sorted(await rows("SELECT decision, actor FROM reviews")) == [
        ("accepted", "user"),
        ("rejected", "user"),
    ]


async def test_a_rejection_on_the_other_path_is_a_review_too(rita, held, rows):
    await rita.post(f"/api/v1/admin/referrals/{held[0]}/reject", {"reason": "Twice"})

    assert await rows("SELECT decision, reason FROM reviews") == [("rejected", "Twice")]


async def test_an_erasure_clears_the_reason(app, acme, held, rows):
    await acme.call("POST", f"{REVIEW}/{held[0]}/reject", json={"reason": "Charlotte again"})
    async with client_of(app) as client:
        body = {"email": "c@example.com", "password": "seven lanterns on the hill"}
        token = (await client.post("/api/v1/sessions", json=body)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        await client.request("DELETE", "/api/v1/me", json={"password": body["password"]}, headers=headers)

    assert await rows("SELECT decision, reason FROM reviews") == [("rejected", None)]
