"""I5: every operation with an effect records an event. Each runs here, by its operation id.

A new operation needs a line in `STORIES`, or one in `WITHOUT` that says why it leaves no row.
"""

import uuid

import pytest

from asgi import document
from audit.operation_stories import CODES, Story
from people import make_code, register, sign_in

pytestmark = pytest.mark.one_database

DOCUMENT = document()
METHODS = {
    operation["operationId"]: method
    for methods in DOCUMENT["paths"].values()
    for method, operation in methods.items()
}

WITHOUT = {
    "introspect_token": "it looks only",
    "post_userinfo": "it looks only",
    "validate_code": "it looks only",
    "create_event": "the event stays, and so do the entries of its rewards",
    "create_events": "the events stay, and so do the entries of their rewards",
    "dry_run_event": "it looks only",
}
READS_WITH_AN_EFFECT = {
    "check_email",
    "export_me",
    "export_participant",
    "list_users",
    "get_user",
    "get_referral_tree",
}


ALICE, RITA, SERVER, NO_ACTOR = "alice", "rita", "server", None
STORIES = {
    "register": ({"user.registered", "referral.made"}, "new"),
    "sign_in": ({"session.started"}, ALICE),
    "end_all_sessions": ({"sessions.ended"}, ALICE),
    "sign_out": ({"session.ended"}, ALICE),
    "end_session": ({"session.ended"}, ALICE),
    "request_tokens": ({"session.started"}, ALICE),
    "revoke_token": ({"session.ended"}, NO_ACTOR),
    "revoke_app_access": ({"grant.revoked", "sessions.ended"}, ALICE),
    "create_code": ({"code.issued"}, ALICE),
    "update_code": ({"code.changed"}, ALICE),
    "delete_code": ({"code.retired"}, ALICE),
    "activate_code": ({"code.activated", "code.retired"}, ALICE),
    "invite_friend": ({"email.requested"}, ALICE),
    "request_code_email": ({"email.requested"}, NO_ACTOR),
    "unsubscribe_from_emails": ({"emails.unsubscribed"}, NO_ACTOR),
    "update_me": ({"user.changed"}, ALICE),
    "delete_me": ({"user.erased", "sessions.ended"}, ALICE),
    "change_password": ({"password.changed", "sessions.ended"}, ALICE),
    "request_email_change": ({"email.change_asked"}, ALICE),
    "confirm_email_change": ({"email.changed", "email.verified"}, ALICE),
    "request_email_verification": ({"email.requested"}, NO_ACTOR),
    "verify_email": ({"email.verified"}, ALICE),
    "request_password_reset": ({"email.requested"}, NO_ACTOR),
    "reset_password": ({"password.reset", "email.verified", "sessions.ended"}, ALICE),
    "check_email": ({"email.checked"}, ALICE),
    "export_me": ({"user.exported"}, ALICE),
    "list_users": ({"users.searched"}, RITA),
    "get_user": ({"user.viewed"}, RITA),
    "get_referral_tree": ({"user.viewed"}, RITA),
    "disable_user": ({"user.disabled", "sessions.ended"}, RITA),
    "enable_user": ({"user.enabled"}, RITA),
    "erase_user": ({"user.erased", "sessions.ended"}, RITA),
    "revoke_code": ({"code.retired"}, RITA),
    "reject_referral": ({"referral.rejected"}, RITA),
    "accept_held_referral": ({"referral.accepted", "referral.confirmed"}, SERVER),
    "reject_held_referral": ({"referral.rejected"}, SERVER),
    "create_program": ({"program.created"}, RITA),
    "update_program": ({"program.changed"}, RITA),
    "create_reward_rule": ({"reward_rule.created"}, RITA),
    "replace_reward_rule": ({"reward_rule.changed"}, RITA),
    "delete_reward_rule": ({"reward_rule.retired"}, RITA),
    "add_coupons": ({"coupons.added"}, RITA),
    "approve_reward": ({"reward.approved"}, SERVER),
    "fulfil_reward": ({"reward.fulfilled"}, SERVER),
    "cancel_reward": ({"reward.canceled"}, SERVER),
    "reverse_reward": ({"reward.reversed"}, SERVER),
    "upsert_participant": ({"user.registered", "code.issued", "referral.made"}, SERVER),
    "upsert_participants": ({"user.registered", "code.issued"}, SERVER),
    "create_participant_code": ({"code.issued"}, SERVER),
    "create_embed_token": ({"session.started"}, SERVER),
    "erase_participant": ({"user.erased", "sessions.ended", "code.retired"}, SERVER),
    "export_participant": ({"user.exported"}, SERVER),
    "create_webhook_endpoint": ({"webhook.created"}, SERVER),
    "update_webhook_endpoint": ({"webhook.changed"}, SERVER),
    "delete_webhook_endpoint": ({"webhook.deleted"}, SERVER),
    "rotate_webhook_secret": ({"webhook.secret_rotated"}, SERVER),
    "send_test_webhook": ({"webhook.tested"}, SERVER),
    "replay_webhook_delivery": ({"webhook.replayed"}, SERVER),
    "replay_webhook_deliveries": ({"webhook.replayed"}, SERVER),
}


def test_i5_every_operation_with_an_effect_has_a_case():
    effects = {name for name, method in METHODS.items() if method != "get"} | READS_WITH_AN_EFFECT
    assert effects - set(STORIES) - set(WITHOUT) == set(), "say what it leaves in the audit"
    assert set(STORIES) <= effects


@pytest.fixture
async def story(app, api, alice, bob, rita, post):
    await post()
    return Story(app, api, alice, bob, rita, post)


@pytest.mark.parametrize("name", STORIES)
async def test_i5_each_effect_is_recorded(story, rows, name):
    actions, actor = STORIES[name]

    answer = await getattr(story, name)()

    assert 200 <= answer.status_code < 300, answer.text
    request_id = answer.headers["x-request-id"]
    query = "SELECT action, actor, actor_id, address FROM audit_events WHERE request_id = :request_id"
    found = await rows(query, request_id=request_id)
    assert {action for action, *_ in found} == actions
    keys = await rows("SELECT id FROM api_keys ORDER BY id DESC LIMIT 1")
    who = {
        None: None,
        SERVER: str(uuid.UUID(str(keys[0][0]))) if keys else None,
        "new": answer.json().get("id") if name == "register" else None,
    }
    expected = who[actor] if actor in who else getattr(story, actor).id
    assert {(kind, str(uuid.UUID(str(one))) if one else None) for _, kind, one, _ in found} == {
        (SERVER if actor == SERVER else "user" if actor else "anonymous", expected)
    }
    assert {address for *_, address in found} == {"127.0.0.1"}


REFUSED = {
    "a code that is taken": ("POST", CODES, {"lifetime": 3600, "code": "TAKEN"}, 409),
    "a code without a term": ("POST", CODES, {}, 422),
    "a name that is none": ("PATCH", "/api/v1/me", {"first_name": ""}, 422),
    "a wrong password": ("DELETE", "/api/v1/me", {"password": "wrong"}, 403),
    "a session of nobody": ("DELETE", f"/api/v1/me/sessions/{uuid.uuid4()}", None, 404),
}


@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSED.values(), ids=REFUSED)
async def test_i5_a_refused_request_records_nothing(alice, bob, rows, method, path, body, status):
    await make_code(bob, code="TAKEN")
    before = await rows("SELECT count(*) FROM audit_events")

    answer = await alice.call(method, path, json=body)

    assert answer.status_code == status
    assert await rows("SELECT count(*) FROM audit_events") == before


async def test_i5_a_request_refused_late_records_nothing(alice, bob, rows, clock):
    await make_code(bob, code="TAKEN")
    await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    before = await rows("SELECT count(*) FROM audit_events")

    answer = await alice.post(CODES, {"lifetime": 3600, "code": "TAKEN"})  # its place was made free for it

    assert answer.status_code == 409
    assert await rows("SELECT count(*) FROM audit_events") == before


async def test_i5_a_replayed_response_records_nothing(alice, rows):
    for _ in range(2):
        answer = await alice.post(CODES, {"lifetime": 3600}, headers={"Idempotency-Key": "once"})
        assert answer.status_code == 201
    assert await rows("SELECT count(*) FROM audit_events WHERE action = 'code.issued'") == [(1,)]


async def test_i5_a_rolled_back_savepoint_records_nothing(app, rows):
    from goodword.audit.actions import Action, Subject
    from goodword.audit.service import record

    def note(session, found):
        record(session, Action.USERS_SEARCHED, Subject.NONE, found=found)

    async with app.state.services.database.transaction() as session:
        note(session, 1)
        for outer in (2, 3):
            try:
                async with session.begin_nested():
                    note(session, outer * 10)
                    async with session.begin_nested():
                        note(session, outer * 10 + 1)
                    if outer == 2:
                        raise KeyError
            except KeyError:
                pass
    found = await rows("SELECT details FROM audit_events ORDER BY details")
    assert [details for (details,) in found] == ['{"found":1}', '{"found":30}', '{"found":31}']


async def test_a26_the_recorded_address_ignores_forwarding_headers(alice, rows):
    forged = {"X-Forwarded-For": "192.0.2.99", "X-Real-IP": "192.0.2.99", "Forwarded": "for=192.0.2.99"}
    await alice.post(CODES, {"lifetime": 3600}, headers=forged)
    found = await rows("SELECT DISTINCT address FROM audit_events")
    assert found == [("127.0.0.1",)]


async def test_f13_the_audit_contains_no_email_name_password_or_code(api, alice, rows):
    code = await make_code(alice, code="LIDDELLS-OWN")
    await register(api, "zacharias", referral_code=code["code"])
    await sign_in(api, alice.email, "wrong password")
    kept = str(await rows("SELECT * FROM audit_events")).lower()
    for word in ("alice", "liddell", "zacharias", "example.com", "lanterns", "wrong password"):
        assert word not in kept


async def test_events_of_jobs_have_the_actor_system(api, alice, post, rows):
    await post()
    found = await rows("SELECT actor, request_id FROM audit_events WHERE action = 'token.sent'")
    assert found == [("system", None)]


async def test_c15_a_replayed_refresh_token_is_recorded(api, alice, rows, clock):
    form = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}
    assert (await api.post("/oauth/token", data=form)).status_code == 200
    clock.forward(seconds=11)
    assert (await api.post("/oauth/token", data=form)).status_code == 400
    query = "SELECT actor, subject FROM audit_events WHERE action = 'session.replayed'"
    assert await rows(query) == [("anonymous", "session")]
