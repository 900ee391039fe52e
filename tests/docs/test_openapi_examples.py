"""The examples of requests in the OpenAPI document, sent in the order of its tags."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update

from asgi import Client, document, forget_limits
from docs.example_rewards import Shop
from goodword.admin import service as administration
from goodword.oauth.scopes import SERVER_SCOPES
from goodword.programs import service as programs
from goodword.programs.models import Program
from mailboxes import Post
from people import PASSWORD, join
from server_keys import make_key
from sweeps import Sweep

pytestmark = pytest.mark.one_database

NEED_OTHERS = {
    "begin_provider_sign_in": "a provider",
    "finish_provider_sign_in": "a provider",
    "revoke_token": "an app",
    "introspect_token": "an app",
    "revoke_app_access": "an app",
    "get_userinfo": "an app: a first-party token has no `openid`",
    "post_userinfo": "an app: a first-party token has no `openid`",
}
"""Operations whose request needs a part that this test does not have. Their own tests send it."""
EMAILED = {
    "verify_email": ("verify_email", "token"),
    "confirm_email_change": ("change_email", "token"),
    "reset_password": ("reset_password", "token"),
    "unsubscribe_from_emails": ("invitation", "unsubscribe"),
}
"""Operations that take a token from an e-mail, with its kind."""


class Story:
    """Alice, who sends the examples, and what she got."""

    def __init__(self, app: Any, api: Client, post: Post) -> None:
        self.app, self.api, self.post = app, api, post
        self.letters: list[Any] = []
        self.email, self.password = "alice@example.com", PASSWORD
        self.friends = self.participants = 0
        self.shop: Shop | None = None

    async def sign_in(self) -> dict[str, Any]:
        """Return her tokens. She registers again after her account was deleted."""
        forget_limits(self.app)
        body = {"email": self.email, "password": self.password}
        answer = await self.api.post("/api/v1/sessions", json=body)
        if answer.status_code == 201:
            return answer.json()
        register = document()["paths"]["/api/v1/users"]["post"]["requestBody"]["content"]["application/json"]
        joined = await self.api.post("/api/v1/users", json=register["example"])
        assert joined.status_code == 201, joined.text
        self.email, self.password = register["example"]["email"], register["example"]["password"]
        return (
            await self.api.post("/api/v1/sessions", json={"email": self.email, "password": self.password})
        ).json()

    def remember(self, operation: str, example: dict[str, Any] | None) -> None:
        """Note what an accepted example has changed."""
        if operation in ("change_password", "reset_password"):
            self.password = example.get("new_password") or example["password"]
        if operation == "confirm_email_change":
            self.email = "alice@example.org"

    async def parameters(self, operation: dict[str, Any], bearer: dict[str, str]) -> dict[str, str]:
        """Return the values of the path: her own id, code and session, and a friend whom she referred."""
        named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        me = (await self.api.get("/api/v1/me", headers=bearer)).json()
        values = {"user_id": me["id"], "slug": "default"}
        if "session_id" in named:
            sessions = await self.api.get("/api/v1/me/sessions", headers=bearer)
            values["session_id"] = sessions.json()["items"][0]["id"]
        reviews = operation["tags"][0] in ("Administration", "Review")
        if named & {"code", "referral_id"} or reviews:
            codes = (await self.api.get("/api/v1/me/referral-codes", headers=bearer)).json()["items"]
            active = [code["code"] for code in codes if code["status"] == "active"]
            if not active:
                body = {"lifetime": 3600}
                made = await self.api.post("/api/v1/me/referral-codes", json=body, headers=bearer)
                active = [made.json()["code"]]
            values["code"] = active[0]
        if reviews:
            self.friends += 1
            friend = await join(self.api, f"friend{self.friends}", referral_code=values["code"])
            referrals = await self.api.get(f"/api/v1/users/{me['id']}/referrals", headers=bearer)
            values["referral_id"] = referrals.json()["items"][0]["id"]
            values["user_id"] = friend.id
        return values

    async def report(self, operation: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the API key of a server as a header, and the values of the path: a new participant."""
        if not self.participants:
            async with self.app.state.services.database.transaction() as session:
                # Else each participant has an active code, and the example of a new one is refused.
                await session.execute(update(Program).values(code_lifetime=None))
                programs.invalidate(session)
        self.participants += 1
        bearer = {"Authorization": f"Bearer {await make_key(self.app, SERVER_SCOPES)}"}
        values = {"external_id": f"user-{self.participants}"}
        if operation["operationId"] not in {"upsert_participant", "upsert_participants"}:
            path = f"/api/v1/participants/{values['external_id']}"
            assert (await self.api.put(path, json={}, headers=bearer)).status_code == 201
        return bearer, values

    async def webhooks(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the API key of a server as a header, and the values of the path: a new endpoint."""
        bearer = {"Authorization": f"Bearer {await make_key(self.app, SERVER_SCOPES)}"}
        body = {"url": "https://acme.example/hooks", "kinds": ["user.created"]}
        made = await self.api.post("/api/v1/webhook-endpoints", json=body, headers=bearer)
        place = f"/api/v1/webhook-endpoints/{made.json()['id']}"
        delivery = await self.api.post(f"{place}/test", headers=bearer)
        return bearer, {"endpoint_id": made.json()["id"], "delivery_id": delivery.json()["id"]}

    async def sell(self, operation: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the API key of a server as a header, and the values of the path: a new reward and its rule."""
        self.shop = self.shop or Shop(self.api, await make_key(self.app, SERVER_SCOPES))
        values = {"slug": "default", "rule_id": await self.shop.open()}
        approved, now = (
            operation["operationId"] in {"fulfil_reward", "reverse_reward"},
            self.app.state.services.clock(),
        )
        values["reward_id"] = await self.shop.sell(now.isoformat(), approved=approved)
        return self.shop.headers, values

    async def promote(self) -> None:
        """Make her an administrator."""
        services = self.app.state.services
        async with services.database.transaction() as session:
            user_id = await administration.find_id(session, self.email)
            await administration.promote(session, services, user_id, now=services.clock())

    async def register_again(self, bearer: dict[str, str]) -> None:
        """Delete her account, so that her address is as in the examples and not verified."""
        gone = await self.api.request(
            "DELETE", "/api/v1/me", json={"password": self.password}, headers=bearer
        )
        assert gone.status_code == 204, gone.text
        await self.sign_in()
        self.letters += await self.post()

    async def body(self, operation: dict[str, Any], example: dict[str, Any], tokens: dict[str, Any]) -> Any:
        """Return the example, with a token that the program has issued in place of the one that it shows."""
        if operation["operationId"] == "request_tokens":
            return {**example, "refresh_token": tokens["refresh_token"]}
        if operation["operationId"] == "dry_run_event":
            return {**example, "id": "order-1002"}
        if operation["operationId"] not in EMAILED:
            return example
        kind, name = EMAILED[operation["operationId"]]
        if kind == "verify_email":
            await self.register_again({"Authorization": f"Bearer {tokens['access_token']}"})
        if kind == "reset_password":  # her address has changed since the example of the request
            await self.api.post("/api/v1/password-resets", json={"email": self.email})
            self.letters += await self.post()
        letter = [letter for letter in self.letters if letter.kind == kind][-1]
        link = letter.token if name == "token" else re.search(r"unsubscribe\?token=(\S+)", letter.text)[1]
        return {**example, "token": link}


def examples(operation: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the media type and the value of each example of a request; of a request without a body, None."""
    contents = operation.get("requestBody", {}).get("content", {})
    if not contents:
        yield "", None
    for kind, content in contents.items():
        shown = content.get("examples", {})
        found = [one["value"] for one in shown.values()] if shown else [content["example"]]
        schema = content["schema"].get("$ref", "").rpartition("/")[2]
        more = document()["components"]["schemas"].get(schema, {}).get("examples", [])
        for value in [*found, *(one for one in more if one not in found)]:
            yield kind, value


def in_the_order_of_the_tags() -> Iterator[tuple[str, str, dict[str, Any]]]:
    operations = [
        (method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in document()["tags"]:
        yield from (one for one in operations if one[2]["tags"] == [tag["name"]])


async def test_every_example_of_a_request_is_accepted(app, api, post):
    story, sent = Story(app, api, post), 0
    with Sweep() as sweep:
        for method, path, operation in in_the_order_of_the_tags():
            if operation["operationId"] in NEED_OTHERS:
                continue
            for kind, example in examples(operation):
                if kind.endswith("urlencoded") and "code" in example:
                    continue  # an app's
                sent += 1
                with sweep.case(f"{method} {path} {example}"):
                    if operation["operationId"] == "register":
                        options, url = {"json": example}, path
                    else:
                        tokens = await story.sign_in()
                        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
                        values = await story.parameters(operation, bearer)
                        if operation["tags"][0] in ("Administration", "Programs", "Review"):
                            await story.promote()
                            tokens = await story.sign_in()
                            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
                        if operation["tags"] == ["Participants"]:
                            bearer, values = await story.report(operation)
                        if operation["tags"] == ["Webhooks"]:
                            bearer, values = await story.webhooks()
                        if (
                            operation["tags"][0] in ("Events", "Rewards", "Reward rules")
                            and "/me/" not in path
                        ):
                            bearer, values = await story.sell(operation)
                        body = await story.body(operation, example, tokens)
                        options = {"headers": bearer} if operation["security"] else {}
                        if body is not None:
                            options["json" if kind == "application/json" else "data"] = body
                        url = path.format_map(values)
                        query = {
                            one["name"]: one["schema"]["examples"][0]
                            for one in operation.get("parameters", ())
                            if one["in"] == "query" and "examples" in one["schema"]
                        }
                        options["params"] = query
                    forget_limits(app)
                    answer = await api.request(method.upper(), url, **options)
                    story.letters += await post()
                    assert answer.is_success, answer.text
                    story.remember(operation["operationId"], example)

    assert sent >= 50


def test_examples_of_responses_are_of_the_story():
    """Alice registers and comes back; what begins ends later; a list of one item has no second page."""
    operations = {
        operation["operationId"]: operation
        for methods in document()["paths"].values()
        for operation in methods.values()
    }

    def answer(name: str, status: str = "200") -> Any:
        return operations[name]["responses"][status]["content"]["application/json"]["example"]

    def request(name: str) -> Any:
        return operations[name]["requestBody"]["content"]["application/json"]["example"]

    shared = {"email", "first_name", "last_name"}
    assert {name: request("register")[name] for name in shared} == {
        name: answer("register", "201")[name] for name in shared
    }
    stats, [referral] = answer("get_referral_stats"), answer("list_referrals")["items"]
    assert datetime.fromisoformat(stats["from"]) < datetime.fromisoformat(stats["to"])
    assert (
        sum(one["referrals"] for one in stats["series"]) == stats["total"] == sum(stats["by_status"].values())
    )
    assert (referral["status"], referral["created_at"] < referral["confirmed_at"]) == ("confirmed", True)
    assert answer("list_referrals")["next_cursor"] is None
    rejected = answer("reject_referral")
    assert (rejected["status"], rejected["confirmed_at"]) == ("rejected", None)
    code = answer("create_code", "201")
    assert code["created_at"] <= code["activated_at"] < code["expires_at"]
    assert (code["status"], code["retired_at"]) == ("active", None)
