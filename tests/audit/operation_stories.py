"""The operations with an effect, each with its preparation."""

from sqlalchemy import update

from goodword.oauth.scopes import SERVER_SCOPES
from goodword.webhooks.models import WebhookDelivery
from people import PASSWORD, bring, bring_held, make_code, register, sign_in
from server_keys import make_key
from third_party import Browser, register_app

CODES = "/api/v1/me/referral-codes"
ADMIN = "/api/v1/admin"


class Story:
    """The people of the operations, which its methods are."""

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

    async def request_tokens(self):
        garden, browser = await self.garden()
        return await garden.exchange(await garden.code(browser))

    async def revoke_token(self):
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

    async def invite_friend(self):
        await make_code(self.alice)
        return await self.alice.post("/api/v1/me/invitations", {"email": "dave@example.org"})

    async def request_code_email(self):
        body = {"referrer_email": self.alice.email, "email": "dave@example.org"}
        return await self.api.post("/api/v1/referral-code-emails", json=body)

    async def unsubscribe_from_emails(self):
        await self.invite_friend()
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

    async def list_users(self):
        return await self.rita.get(f"{ADMIN}/users")

    async def get_user(self):
        return await self.rita.get(f"{ADMIN}/users/{self.alice.id}")

    async def get_referral_tree(self):
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

    async def server(self, method, path, body=None, *, root="/api/v1/participants/"):
        key = await make_key(self.app, SERVER_SCOPES)
        headers = {"Authorization": f"Bearer {key}"}
        return await self.api.request(method, f"{root}{path}", json=body, headers=headers)

    async def held_referral(self):
        return await bring_held(self.app, self.alice, "carol", "dave")

    async def accept_held_referral(self):
        return await self.server("POST", f"{await self.held_referral()}/accept", root="/api/v1/referrals/")

    async def reject_held_referral(self):
        path = f"{await self.held_referral()}/reject"
        return await self.server("POST", path, {"reason": "twice"}, root="/api/v1/referrals/")

    async def create_program(self):
        return await self.rita.post("/api/v1/programs", {"slug": "acme", "name": "Acme"})

    async def update_program(self):
        return await self.rita.patch("/api/v1/programs/default", {"status": "paused"})

    async def upsert_participant(self):
        code = await make_code(self.alice)
        return await self.server("PUT", "pat", {"referral_code": code["code"]})

    async def upsert_participants(self):
        return await self.server("POST", "batch", {"items": [{"external_id": "pat"}]})

    async def create_participant_code(self):
        await self.upsert_participant()
        return await self.server("POST", "pat/codes", {"lifetime": 60, "active": False})

    async def create_embed_token(self):
        await self.upsert_participant()
        return await self.server("POST", "pat/tokens")

    async def erase_participant(self):
        await self.upsert_participant()
        return await self.server("DELETE", "pat")

    async def export_participant(self):
        await self.upsert_participant()
        return await self.server("GET", "pat/export")

    async def webhooks(self, method, path="", body=None):
        return await self.server(method, path, body, root="/api/v1/webhook-endpoints")

    async def create_webhook_endpoint(self):
        body = {"url": "https://acme.example/webhooks", "kinds": ["user.erased"]}
        return await self.webhooks("POST", body=body)

    async def endpoint(self):
        return f"/{(await self.create_webhook_endpoint()).json()['id']}"

    async def update_webhook_endpoint(self):
        return await self.webhooks("PATCH", await self.endpoint(), {"status": "disabled"})

    async def delete_webhook_endpoint(self):
        return await self.webhooks("DELETE", await self.endpoint())

    async def send_test_webhook(self):
        return await self.webhooks("POST", f"{await self.endpoint()}/test")

    async def failed_delivery(self):
        place = await self.endpoint()
        delivery = (await self.webhooks("POST", f"{place}/test")).json()["id"]
        async with self.app.state.services.database.transaction() as session:
            values = {"status": "failed", "next_attempt_at": None}
            await session.execute(update(WebhookDelivery).values(values))
        return place, delivery

    async def replay_webhook_delivery(self):
        _, delivery = await self.failed_delivery()
        return await self.server("POST", f"{delivery}/replay", root="/api/v1/webhook-deliveries/")

    async def replay_webhook_deliveries(self):
        place, _ = await self.failed_delivery()
        return await self.webhooks("POST", f"{place}/replay", {"since": "2020-01-01T00:00:00Z"})

    async def rotate_webhook_secret(self):
        return await self.webhooks("POST", f"{await self.endpoint()}/rotate-secret")

    async def create_reward_rule(self, **terms):
        body = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit", "amount_minor": 500}
        return await self.rita.post("/api/v1/programs/default/reward-rules", body | terms)

    async def rule_path(self, **terms):
        rule = (await self.create_reward_rule(**terms)).json()
        return f"/api/v1/programs/default/reward-rules/{rule['id']}", rule

    async def replace_reward_rule(self):
        path, _ = await self.rule_path()
        body = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit", "amount_minor": 600}
        return await self.rita.call("PUT", path, json=body)

    async def delete_reward_rule(self):
        path, _ = await self.rule_path()
        return await self.rita.delete(path)

    async def add_coupons(self):
        path, _ = await self.rule_path(kind="coupon")
        return await self.rita.post(f"{path}/coupons", {"codes": ["SPRING-1"]})

    async def reward(self, step, body=None, **terms):
        """Take a step with the reward for a purchase."""
        await self.create_reward_rule(**terms)
        await self.upsert_participant()
        key = {"Authorization": f"Bearer {await make_key(self.app, SERVER_SCOPES)}"}
        event = {
            "id": "order-1",
            "type": "purchase",
            "participant": {"external_id": "pat"},
            "occurred_at": self.app.state.services.clock().isoformat(),
        }
        made = (await self.api.post("/api/v1/events", json=event, headers=key)).json()["rewards"][0]
        return await self.api.post(f"/api/v1/rewards/{made['id']}/{step}", json=body, headers=key)

    async def approve_reward(self):
        return await self.reward("approve", approval="manual")

    async def fulfil_reward(self):
        return await self.reward("fulfil", {})

    async def cancel_reward(self):
        return await self.reward("cancel", {"reason": "a test"})

    async def reverse_reward(self):
        return await self.reward("reverse", {"reason": "a test"})
