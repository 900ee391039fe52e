"""Nobody acts who is shut out while the request is under way: by a slow body, or on a node that remembers them."""

import json
from urllib.parse import urlencode

import pytest
from fastapi.routing import iter_route_contexts

from asgi import client_of, forget_limits, settings_for
from goodword.admin import service as administration
from goodword.api_keys import service as api_keys
from goodword.app import create_app
from goodword.db.database import Database
from goodword.sessions import service as sessions
from goodword.tables import Base
from goodword.web.rewritten_paths import REWRITTEN
from goodword.webhooks import deliveries, service as webhooks
from goodword.webhooks.schemas import WebhookEndpointCreate
from pages.shops import buy
from people import PASSWORD, bring_held, make_code
from rewards.conftest import CREDIT, SCOPES, Shop
from server_keys import make_key
from split_requests import send_in_two_parts
from sweeps import Sweep
from third_party import Browser, Form, register_app

pytestmark = pytest.mark.one_database

ME, CODES, ADMIN = "/api/v1/me", "/api/v1/me/referral-codes", "/api/v1/admin"
RULES = "/api/v1/programs/{slug}/reward-rules"

# Each operation can be done after those before it.
BY_API = {
    "update_me": ("PATCH", ME, {"first_name": "Mallory"}),
    "create_code": ("POST", CODES, {"lifetime": 3600, "active": False}),
    "update_code": ("PATCH", f"{CODES}/{{code}}", {"discoverable": False}),
    "invite_friend": ("POST", f"{ME}/invitations", {"email": "dave@example.org"}),
    "delete_code": ("DELETE", f"{CODES}/{{code}}", None),
    "activate_code": ("POST", f"{CODES}/{{later}}/activate", {"replace": True}),
    "end_session": ("DELETE", f"{ME}/sessions/{{other}}", None),
    "end_all_sessions": ("DELETE", f"{ME}/sessions", None),
    "revoke_app_access": ("DELETE", f"{ME}/apps/{{app}}", None),
    "request_email_change": (
        "POST",
        f"{ME}/email-changes",
        {"email": "alice@example.org", "password": PASSWORD},
    ),
    "change_password": ("PUT", f"{ME}/password", {"current_password": PASSWORD, "new_password": PASSWORD}),
    "delete_me": ("DELETE", ME, {"password": PASSWORD}),
    "revoke_code": ("DELETE", f"{ADMIN}/referral-codes/{{bobs}}", None),
    "reject_referral": ("POST", f"{ADMIN}/referrals/{{referral}}/reject", {"reason": "twice"}),
    "accept_held_referral": ("POST", "/api/v1/referrals/{held}/accept", None),
    "reject_held_referral": ("POST", "/api/v1/referrals/{held}/reject", {"reason": "twice"}),
    "disable_user": ("POST", f"{ADMIN}/users/{{bob}}/disable", None),
    "enable_user": ("POST", f"{ADMIN}/users/{{bob}}/enable", None),
    "create_program": ("POST", "/api/v1/programs", {"slug": "by-api", "name": "By API"}),
    "update_program": ("PATCH", "/api/v1/programs/{slug}", {"name": "The default program"}),
    "create_reward_rule": ("POST", RULES, CREDIT),
    "replace_reward_rule": ("PUT", f"{RULES}/{{rule}}", CREDIT | {"kind": "coupon", "amount_minor": 700}),
    "add_coupons": ("POST", f"{RULES}/{{rule}}/coupons", {"codes": ["SPRING-1"]}),
    "delete_reward_rule": ("DELETE", f"{RULES}/{{rule}}", None),
    "erase_user": ("DELETE", f"{ADMIN}/users/{{bob}}", None),
}
ENDS_ITSELF = {"sign_out"}
"""A session that has ended meanwhile is what was wanted."""
LOOKS = {"post_userinfo"}

POINTS = {
    "trigger": "renewal",
    "beneficiary": "referrer",
    "kind": "points",
    "amount_minor": "5",
    "approval": "auto",
}
BY_PAGE = {
    "/account/name": {"first_name": "Mallory"},
    "/account/language": {"language": "ru"},
    "/account/invitation": {"email": "dave@example.org"},
    "/account/export": {},
    "/account/sessions/end": {"session": "{other}"},
    "/account/sessions/end-all": {},
    "/": {"lifetime": "3600", "later": "on", "latest": "~"},
    "/code/update": {"of": "{code}", "new_lifetime": "7200"},
    "/code/delete": {"of": "{code}"},
    "/code/activate": {"of": "{later}", "replace": "on"},
    "/check-mail": {},
    "/oauth/consent": {"decision": "allow"},
    "/account/apps/shut-out": {"client_id": "{app}"},
    "/account/address": {"email": "alice@example.org", "password": PASSWORD},
    "/account/password": {"current_password": PASSWORD, "new_password": PASSWORD},
    "/account/deletion": {"password": PASSWORD},
    "/admin/rewards/{reward_id}/{step}": {},
    "/admin/programs/{slug}/rules/new": POINTS,
    "/admin/programs/{slug}/rules/{rule_id}/coupons": {"codes": "SPRING-2"},
    "/admin/programs/{slug}/rules/{rule_id}": POINTS | {"version": "1"},
    "/admin/programs/{slug}/rules/{rule_id}/end": {},
    "/admin/codes/revoke": {"of": "{bobs}", "back": "/admin/codes"},
    "/admin/reviews/accept": {"of": "{held}"},
    "/admin/reviews/reject": {"of": "{held}", "reason": "twice"},
    "/admin/users/{carol}/reject": {"reason": "twice"},
    "/admin/users/{bob}/sessions/revoke": {"session": "{bobs_session}"},
    "/admin/apps/disable": {"client_id": "{app}"},
    "/admin/api-keys/create": {"name": "acme", "participants:read": "on"},
    "/admin/api-keys/revoke": {"of": "{api_key}"},
    "/admin/programs/new": {"slug": "acme", "name": "Acme", "code_lifetime": "30"},
    "/admin/programs/{slug}": {"status": "paused"},
    "/admin/webhooks/new": {"url": "https://acme.example/", "user.created": "on"},
    "/admin/webhooks/{endpoint_id}": {"url": "https://acme.example/", "user.erased": "on"},
    "/admin/webhooks/{endpoint_id}/test": {},
    "/admin/webhooks/{endpoint_id}/replay": {"since": "2020-01-01T00:00"},
    "/admin/webhook-deliveries/{delivery_id}/replay": {},
    "/admin/webhooks/{endpoint_id}/rotate-secret": {},
    "/admin/webhooks/{endpoint_id}/disable": {},
    "/admin/webhooks/{endpoint_id}/enable": {},
    "/admin/webhooks/{endpoint_id}/delete": {},
    "/admin/users/{bob}/disable": {},
    "/admin/users/{bob}/enable": {},
    "/admin/users/{bob}/erase": {"email": "bob@example.com"},
}
WITHOUT_A_SESSION = {
    "/sign-in",
    "/sign-out",
    "/sign-up",
    "/verify-email",
    "/verify-email/again",
    "/confirm-email",
    "/reset-password",
    "/forgot-password",
    "/unsubscribe" + REWRITTEN,
    "/language",
    "/oauth/authorize",
    "/oauth/logout",
    "/oauth/logout/confirm",
}
WITHOUT_DATA = {"/admin/jobs/retry"}
"""There is no dead job to try again."""


def snapshot(row_of):
    selects = (f"SELECT '{table}', {row_of(table)} FROM \"{table}\"" for table in Base.metadata.sorted_tables)
    return " UNION ALL ".join(selects)


SNAPSHOT = {
    False: snapshot(lambda table: f'"{table}"::text'),
    True: snapshot(lambda table: " || ',' || ".join(f'quote("{column.name}")' for column in table.columns)),
}
"""The statement that reads all tables, by whether the database is SQLite."""


def is_for_administrators(path):
    return "/admin" in path or "/programs" in path or path.startswith("/api/v1/referrals/")


def cases(operations):
    """Yield each operation by a user who is shut out, with each of the ways in turn, and then each without that.

    One statement checks the actor of all operations: not each needs every way.
    """
    for turn, (name, path) in enumerate(operations):
        ways = (
            ["signed out", "disabled", "demoted"]
            if is_for_administrators(path)
            else ["signed out", "disabled"]
        )
        yield name, ways[turn % len(ways)]
    for name, _ in operations:
        yield name, None


@pytest.fixture
async def world(app, api, alice, bob, rita, rows, database_url):
    elsewhere = Database.from_settings(settings_for(database_url))
    async with client_of(app) as client:
        yield await World(app, api, alice, bob, rita, rows, elsewhere, Browser(client)).begin()
    await elsewhere.close()


class World:
    """Alice with all that she can change, Rita who administers, and another node that shuts them out."""

    def __init__(self, app, api, alice, bob, rita, rows, elsewhere, browser):
        self.app, self.api, self.alice, self.bob, self.rita = app, api, alice, bob, rita
        self.rows, self.elsewhere, self.browser = rows, elsewhere, browser

    async def begin(self):
        await self.browser.sign_in(self.alice)
        garden = await register_app(self.app, self.api, "https://garden.example/callback")
        await garden.let_in(self.browser)
        self.consent = garden.url(prompt="consent")
        held = await bring_held(self.app, self.bob, "carol", "erin")
        ((referral, carol),) = await self.rows(
            "SELECT id, referee_id FROM referrals WHERE status = 'confirmed'"
        )
        (bobs,) = (await self.bob.get(CODES)).json()["items"]
        self.names = {
            "code": (await make_code(self.alice))["code"],
            "later": (await make_code(self.alice, active=False))["code"],
            "app": garden.client_id,
            "api_key": await self.make_api_key(),
            "bob": self.bob.id,
            "bobs_session": (await self.bob.get(f"{ME}/sessions")).json()["items"][0]["id"],
            "bobs": bobs["code"],
            "referral": str(referral),
            "held": held,
            "carol": str(carol),
            "slug": "default",
            "reward_id": await self.make_reward(str(carol)),
            "rule_id": (await self.shop.rule(kind="coupon"))["id"],
            "rule": (await self.shop.rule(kind="coupon"))["id"],
            "step": "approve",
        }
        self.names |= await self.make_webhook()
        return self

    async def make_reward(self, carol):
        self.shop = Shop(self.api, await make_key(self.app, SCOPES))
        await self.shop.rule(approval="manual")
        return (await buy(self.shop, {"id": carol}))["id"]

    async def make_webhook(self):
        """Return the ids of an endpoint and of a delivery to it that has failed."""
        services = self.app.state.services
        async with services.database.transaction() as session:
            fields = {"url": "https://acme.example/", "kinds": ["reward.approved"]}
            body = WebhookEndpointCreate.model_validate(fields)
            endpoint, _ = await webhooks.create(session, services, body, within=None, now=services.clock())
        async with services.database.transaction() as session:
            delivery = await deliveries.send_test(session, endpoint.id, within=None, now=services.clock())
            delivery.status, delivery.next_attempt_at = "failed", None
        return {"endpoint_id": str(endpoint.id), "delivery_id": str(delivery.id)}

    async def make_api_key(self):
        services = self.app.state.services
        async with services.database.transaction() as session:
            key, _ = await api_keys.create(
                session,
                services.keys.api_keys,
                name="backend",
                scope=["events:write"],
                now=services.clock(),
            )
        return str(key.id)

    async def shut_out(self, person, how):
        """As another node does it, of which this one has not heard."""
        async with self.elsewhere.transaction() as session:
            user_id, now = (
                await administration.find_id(session, person.email),
                self.app.state.services.clock(),
            )
            match how:
                case "signed out":
                    await sessions.revoke_all(session, user_id, why="signed_out_everywhere", now=now)
                case "disabled":
                    await administration.disable(session, user_id, by=None, now=now)
                case "demoted":
                    await administration.demote(session, user_id)

    async def readmit(self, person):
        """Undo `shut_out`: the person signs in again, here and on another device."""
        services = self.app.state.services
        async with self.elsewhere.transaction() as session:
            user_id = await administration.find_id(session, person.email)
            await administration.enable(session, user_id)
            if person is self.rita:
                await administration.promote(session, services, user_id, now=services.clock())
        forget_limits(self.app)
        await person.start_session()
        items = (await person.get(f"{ME}/sessions")).json()["items"]
        self.names["other"] = next(one["id"] for one in items if one["current"])
        await person.start_session()
        assert (await person.get(ME)).status_code == 200  # and so it is remembered

    async def stored(self):
        """Return the rows of each table as texts, by one statement."""
        found = {table.name: [] for table in Base.metadata.sorted_tables}
        for name, row in await self.rows(SNAPSHOT[self.elsewhere.is_sqlite]):
            found[name].append(row)
        return {name: sorted(texts) for name, texts in found.items()}

    async def act(self, person, how, method, path, headers, body):
        """Return the status of a request during which `person` is shut out, and the tables that it changed."""
        before = {}

        async def meanwhile():
            await self.shut_out(person, how)
            before.update(await self.stored())

        status = await send_in_two_parts(
            self.app, method, path, headers=headers, body=body, meanwhile=meanwhile
        )
        after = await self.stored()
        return status, {name for name in after if after[name] != before[name]}


def check(how, path, status, changed):
    if how is None:
        assert status < 400
        assert changed
    else:
        expected = {404} if "/admin" in path else {403, 404} if is_for_administrators(path) else {401}
        assert status in expected
        assert changed == set()


async def test_by_api(world):
    with Sweep() as sweep:
        for name, how in cases([(name, path) for name, (_, path, _) in BY_API.items()]):
            with sweep.case((name, how)):
                method, path, fields = BY_API[name]
                person = world.rita if is_for_administrators(path) else world.alice
                await world.readmit(person)
                headers = {"Authorization": f"Bearer {person.tokens['access_token']}"}
                if fields is not None:
                    headers["Content-Type"] = "application/json"
                body = b"" if fields is None else json.dumps(fields).encode()
                target = path.format(**world.names)

                check(how, path, *await world.act(person, how, method, target, headers, body))


@pytest.mark.both_databases
async def test_by_page(world):
    with Sweep() as sweep:
        for path, how in cases([(path, path) for path in BY_PAGE]):
            with sweep.case((path, how)):
                person = world.rita if is_for_administrators(path) else world.alice
                await world.readmit(person)
                await world.browser.sign_in(person)
                is_consent = path == "/oauth/consent"
                form = Form((await world.browser.get(world.consent if is_consent else "/account")).text)
                fields = {name: text.format(**world.names) for name, text in BY_PAGE[path].items()}
                fields |= form.fields | fields if is_consent else {"form_token": form.fields["form_token"]}
                headers = {
                    "Cookie": "; ".join(
                        f"{one.name}={one.value}" for one in world.browser.client.cookies.jar
                    ),
                    "Origin": "http://127.0.0.1:8000",
                    "Sec-Fetch-Site": "same-origin",
                    "Content-Type": "application/x-www-form-urlencoded",
                }
                target, body = path.format(**world.names), urlencode(fields).encode()

                check(how, path, *await world.act(person, how, "POST", target, headers, body))


def test_all_writing_operations_are_covered():
    app = create_app(settings_for("sqlite+aiosqlite:///none"))
    operations = {
        operation["operationId"]
        for methods in app.openapi()["paths"].values()
        for method, operation in methods.items()
        if method != "get" and any("AccessToken" in way for way in operation["security"])
    }
    pages = {
        getattr(route, "path", "").replace(":uuid", "")
        for route in (context.original_route for context in iter_route_contexts(app.routes))
        if "POST" in (getattr(route, "methods", None) or ()) and not getattr(route, "include_in_schema", True)
    }
    known = {path.replace("{bob}", "{user_id}").replace("{carol}", "{user_id}") for path in BY_PAGE}

    assert operations == set(BY_API) | ENDS_ITSELF | LOOKS
    assert pages == known | WITHOUT_A_SESSION | WITHOUT_DATA


@pytest.mark.both_databases
async def test_two_tabs_sign_out_together(world):
    assert (await world.alice.get(ME)).status_code == 200
    await world.shut_out(world.alice, "signed out")

    assert (await world.alice.delete(f"{ME}/sessions/current")).status_code == 204
