"""I5: every operation with an effect records an event. Each runs here, by its operation id.

A new operation needs a line in `STORIES`, or one in `WITHOUT` that says why it leaves no row.
"""

import uuid

import pytest

from asgi import document
from people import PASSWORD, bring, make_code, register, sign_in
from third_party import Browser, register_app

pytestmark = pytest.mark.one_database

DOCUMENT = document()
METHODS = {
    operation["operationId"]: method
    for methods in DOCUMENT["paths"].values()
    for method, operation in methods.items()
}
CODES = "/api/v1/me/referral-codes"
ADMIN = "/api/v1/admin"

WITHOUT = {
    "introspect": "it looks only",
    "post_userinfo": "it looks only",
    "validate_code": "it looks only",
}
READS_WITH_AN_EFFECT = {"check_email", "export_me", "find_users", "read_user", "read_referral_tree"}


class Story:
    """The operations, each with its preparation."""

    def __init__(self, app, api, alice, bob, rita, post):
        self.app, self.api, self.alice, self.bob, self.rita, self.post = app, api, alice, bob, rita, post

    async def token_for(self, path, email, **ready):
        await self.api.post(path, json={"email": email})
        return (await self.post(to=email))[-1].token

    async def register(self):
        code = await make_code(self.alice)
        return await register(self.api, "carol", referral_code=code["code"])

    async def sign_in(self):
        return await sign_in(self.api, self.alice.email)

    async def end_all_sessions(self):
        return await self.alice.delete("/api/v1/me/sessions")

    async def sign_out(self):
        return await self.alice.delete("/api/v1/me/sessions/current")

    async def end_session(self):
        found = (await self.alice.get("/api/v1/me/sessions")).json()["items"]
        return await self.alice.delete(f"/api/v1/me/sessions/{found[0]['id']}")

    async def garden(self):
        browser = Browser(self.api)
        await browser.sign_in(self.alice)
        garden = await register_app(self.app, self.api, "https://garden.example/callback")
        return garden, browser

    async def token(self):
        garden, browser = await self.garden()
        return await garden.exchange(await garden.code(browser))

    async def revoke(self):
        garden, browser = await self.garden()
        tokens = await garden.let_in(browser)
        return await garden.post("/oauth/revoke", token=tokens["access_token"])

    async def revoke_app_access(self):
        garden, browser = await self.garden()
        await garden.let_in(browser)
        return await self.alice.delete(f"/api/v1/me/apps/{garden.client_id}")

    async def create_code(self):
        return await self.alice.post(CODES, {"lifetime": 3600})

    async def update_code(self):
        code = await make_code(self.alice)
        return await self.alice.patch(f"{CODES}/{code['code']}", {"discoverable": False})

    async def delete_code(self):
        code = await make_code(self.alice)
        return await self.alice.delete(f"{CODES}/{code['code']}")

    async def activate_code(self):
        await make_code(self.alice)
        later = await make_code(self.alice, active=False)
        return await self.alice.post(f"{CODES}/{later['code']}/activate", {"replace": True})

    async def invite(self):
        await make_code(self.alice)
        return await self.alice.post("/api/v1/me/invitations", {"email": "dave@example.org"})

    async def request_code_email(self):
        body = {"referrer_email": self.alice.email, "email": "dave@example.org"}
        return await self.api.post("/api/v1/referral-code-emails", json=body)

    async def unsubscribe_by_token(self):
        await self.invite()
        message = (await self.post(to="dave@example.org"))[0]
        token = message.text.partition("token=")[2].split()[0]
        return await self.api.post("/api/v1/unsubscribes", json={"token": token})

    async def update_me(self):
        return await self.alice.patch("/api/v1/me", {"first_name": "Alicia"})

    async def delete_me(self):
        return await self.alice.delete("/api/v1/me", json={"password": PASSWORD})

    async def change_password(self):
        body = {"current_password": PASSWORD, "new_password": "quiet otters swim at dawn"}
        return await self.alice.call("PUT", "/api/v1/me/password", json=body)

    async def request_email_change(self):
        body = {"email": "alice@example.org", "password": PASSWORD}
        return await self.alice.post("/api/v1/me/email-changes", body)

    async def confirm_email_change(self):
        await self.request_email_change()
        message = (await self.post(to="alice@example.org"))[0]
        return await self.api.post("/api/v1/me/email-changes/confirm", json={"token": message.token})

    async def request_email_verification(self):
        return await self.api.post("/api/v1/email-verifications", json={"email": self.alice.email})

    async def verify_email(self):
        token = await self.token_for("/api/v1/email-verifications", self.alice.email)
        return await self.api.post("/api/v1/email-verifications/confirm", json={"token": token})

    async def request_password_reset(self):
        return await self.api.post("/api/v1/password-resets", json={"email": self.alice.email})

    async def reset_password(self):
        token = await self.token_for("/api/v1/password-resets", self.alice.email)
        body = {"token": token, "password": "quiet otters swim at dawn"}
        return await self.api.post("/api/v1/password-resets/confirm", json=body)

    async def check_email(self):
        return await self.alice.get("/api/v1/email-checks", params={"email": "dave@example.org"})

    async def export_me(self):
        return await self.alice.get("/api/v1/me/export")

    async def find_users(self):
        return await self.rita.get(f"{ADMIN}/users")

    async def read_user(self):
        return await self.rita.get(f"{ADMIN}/users/{self.alice.id}")

    async def read_referral_tree(self):
        return await self.rita.get(f"{ADMIN}/users/{self.alice.id}/referral-tree")

    async def disable_user(self):
        return await self.rita.post(f"{ADMIN}/users/{self.alice.id}/disable", None)

    async def enable_user(self):
        await self.disable_user()
        return await self.rita.post(f"{ADMIN}/users/{self.alice.id}/enable", None)

    async def erase_user(self):
        return await self.rita.delete(f"{ADMIN}/users/{self.alice.id}")

    async def revoke_code(self):
        code = await make_code(self.alice)
        return await self.rita.delete(f"{ADMIN}/referral-codes/{code['code']}")

    async def reject_referral(self):
        await bring(self.alice, "carol")
        path = f"/api/v1/users/{self.alice.id}/referrals"
        referral = (await self.alice.get(path)).json()["items"][0]
        return await self.rita.post(f"{ADMIN}/referrals/{referral['id']}/reject", {"reason": "twice"})


ALICE, RITA, NO_ACTOR = "alice", "rita", None
STORIES = {
    "register": ({"user.registered", "referral.made"}, "new"),
    "sign_in": ({"session.started"}, ALICE),
    "end_all_sessions": ({"sessions.ended"}, ALICE),
    "sign_out": ({"session.ended"}, ALICE),
    "end_session": ({"session.ended"}, ALICE),
    "token": ({"session.started"}, ALICE),
    "revoke": ({"session.ended"}, NO_ACTOR),
    "revoke_app_access": ({"grant.revoked", "sessions.ended"}, ALICE),
    "create_code": ({"code.issued"}, ALICE),
    "update_code": ({"code.changed"}, ALICE),
    "delete_code": ({"code.retired"}, ALICE),
    "activate_code": ({"code.activated", "code.retired"}, ALICE),
    "invite": ({"email.requested"}, ALICE),
    "request_code_email": ({"email.requested"}, NO_ACTOR),
    "unsubscribe_by_token": ({"emails.unsubscribed"}, NO_ACTOR),
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
    "find_users": ({"users.searched"}, RITA),
    "read_user": ({"user.viewed"}, RITA),
    "read_referral_tree": ({"user.viewed"}, RITA),
    "disable_user": ({"user.disabled", "sessions.ended"}, RITA),
    "enable_user": ({"user.enabled"}, RITA),
    "erase_user": ({"user.erased", "sessions.ended"}, RITA),
    "revoke_code": ({"code.retired"}, RITA),
    "reject_referral": ({"referral.rejected"}, RITA),
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
    who = {None: None, "new": answer.json().get("id") if name == "register" else None}
    expected = who[actor] if actor in who else getattr(story, actor).id
    assert {(kind, str(uuid.UUID(str(one))) if one else None) for _, kind, one, _ in found} == {
        ("user" if actor else "anonymous", expected)
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
