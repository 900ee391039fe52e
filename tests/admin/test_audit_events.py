"""GET /api/v1/admin/audit"""

import uuid
from datetime import timedelta

import pytest

from audit_table import seal
from people import join, make_code

PATH = "/api/v1/admin/audit"


async def listed(rita, **query):
    answer = await rita.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_an_event_has_actor_action_subject_and_address(app, rita, alice):
    code = await make_code(alice)
    await seal(app)

    (event,) = await listed(rita, action="code.issued")

    assert {
        name: event[name] for name in ("actor", "actor_id", "person_id", "subject", "client", "address")
    } == {
        "actor": "user",
        "actor_id": alice.id,
        "person_id": alice.id,
        "subject": "code",
        "client": "goodword",
        "address": "127.0.0.1",
    }
    assert event["details"] == {"kind": "generated", "active": True}
    assert code["code"] not in str(event)
    assert event["sequence"] > 0


async def test_events_of_a_user_are_those_by_and_about_the_user(rita, alice, bob):
    await rita.post(f"/api/v1/admin/users/{alice.id}/disable", None)

    found = await listed(rita, user_id=alice.id)

    actions = sorted(event["action"] for event in found)
    assert actions == ["session.started", "sessions.ended", "user.disabled", "user.registered"]
    assert {event["actor_id"] for event in found} == {alice.id, rita.id}
    assert await listed(rita, user_id=str(uuid.uuid4())) == []


async def test_pages_contain_every_event_once(rita, alice, bob):
    whole = await listed(rita)
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = (await rita.get(PATH, params=query)).json()
        seen += answer["items"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert seen == whole
    assert [event["id"] for event in seen] == sorted((event["id"] for event in seen), reverse=True)


async def test_since_and_until_limit_the_events(rita, alice, clock, api):
    clock.forward(days=1)
    noon = clock()
    clock.forward(days=1)
    await join(api, "bob")
    await rita.sign_in()

    assert len(await listed(rita, since=noon.isoformat())) == 3
    earlier = await listed(rita, until=noon.isoformat())
    assert alice.id in {event["actor_id"] for event in earlier}
    assert await listed(rita, until=(noon - timedelta(days=9)).isoformat()) == []


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
async def test_any_instant_is_accepted(rita, since):
    assert isinstance(await listed(rita, since=since, until=since), list)


@pytest.mark.one_database
@pytest.mark.parametrize(
    "query", [{"action": "no.such"}, {"since": "yesterday"}, {"user_id": "alice"}, {"limit": 0}]
)
async def test_invalid_parameters_are_refused(rita, query):
    assert (await rita.get(PATH, params=query)).status_code == 422


@pytest.mark.one_database
async def test_a_cursor_of_another_query_is_refused(rita, alice):
    cursor = (await rita.get(PATH, params={"limit": 1})).json()["next_cursor"]
    answer = await rita.get(PATH, params={"limit": 1, "cursor": cursor, "action": "user.registered"})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.one_database
async def test_other_users_get_404(alice):
    assert (await alice.get(PATH)).status_code == 404
