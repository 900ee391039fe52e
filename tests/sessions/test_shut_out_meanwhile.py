"""Nobody acts who is shut out while the request is under way: by a slow body, or on a node that remembers them."""

import json
from urllib.parse import urlencode

import pytest
from fastapi.routing import iter_route_contexts

from asgi import client_of, settings_for
from goodword.admin import service as administration
from goodword.app import create_app
from goodword.db.database import Database
from goodword.sessions import service as sessions
from goodword.tables import Base
from people import PASSWORD, bring, make_code
from slowly import slowly
from third_party import Browser, Form, register_app

pytestmark = pytest.mark.one_database

ME, CODES, ADMIN = "/api/v1/me", "/api/v1/me/referral-codes", "/api/v1/admin"
NEW = "quiet otters swim at dawn"

BY_API = {
    "update_me": ("PATCH", ME, {"first_name": "Mallory"}),
    "delete_me": ("DELETE", ME, {"password": PASSWORD}),
    "create_code": ("POST", CODES, {"lifetime": 3600, "active": False}),
    "update_code": ("PATCH", f"{CODES}/{{code}}", {"discoverable": False}),
    "delete_code": ("DELETE", f"{CODES}/{{code}}", None),
    "activate_code": ("POST", f"{CODES}/{{later}}/activate", {"replace": True}),
    "end_all_sessions": ("DELETE", f"{ME}/sessions", None),
    "end_session": ("DELETE", f"{ME}/sessions/{{other}}", None),
    "revoke_app_access": ("DELETE", f"{ME}/apps/{{app}}", None),
    "invite": ("POST", f"{ME}/invitations", {"email": "dave@example.org"}),
    "change_password": ("PUT", f"{ME}/password", {"current_password": PASSWORD, "new_password": NEW}),
    "request_email_change": (
        "POST",
        f"{ME}/email-changes",
        {"email": "alice@example.org", "password": PASSWORD},
    ),
    "disable_user": ("POST", f"{ADMIN}/users/{{bob}}/disable", None),
    "enable_user": ("POST", f"{ADMIN}/users/{{bob}}/enable", None),
    "erase_user": ("DELETE", f"{ADMIN}/users/{{bob}}", None),
    "revoke_code": ("DELETE", f"{ADMIN}/referral-codes/{{bobs}}", None),
    "reject_referral": ("POST", f"{ADMIN}/referrals/{{referral}}/reject", {"reason": "twice"}),
}
ENDS_ITSELF = {"sign_out"}
"""A session that has ended meanwhile is what was wanted."""
LOOKS = {"post_userinfo"}

BY_PAGE = {
    "/account/name": {"first_name": "Mallory"},
    "/account/language": {"language": "ru"},
    "/account/invitation": {"email": "dave@example.org"},
    "/account/password": {"current_password": PASSWORD, "new_password": NEW},
    "/account/export": {},
    "/account/deletion": {"password": PASSWORD},
    "/account/address": {"email": "alice@example.org", "password": PASSWORD},
    "/account/sessions/end": {"session": "{other}"},
    "/account/sessions/end-all": {},
    "/account/apps/shut-out": {"client_id": "{app}"},
    "/": {"lifetime": "3600", "later": "on", "latest": "~"},
    "/code/activate": {"of": "{later}", "replace": "on"},
    "/code/delete": {"of": "{code}"},
    "/check-mail": {},
    "/oauth/authorize": {"decision": "allow"},
    "/admin/users/{bob}/disable": {},
    "/admin/users/{bob}/enable": {},
    "/admin/users/{bob}/erase": {"email": "bob@example.com"},
    "/admin/users/{carol}/reject": {"reason": "twice"},
    "/admin/codes/revoke": {"of": "{bobs}", "back": "/admin/codes"},
}
WITHOUT_A_SESSION = {
    "/sign-in",
    "/sign-out",
    "/sign-up",
    "/verify-email",
    "/confirm-email",
    "/reset-password",
    "/forgot-password",
    "/unsubscribe",
    "/language",
}
WITHOUT_DATA = {"/admin/jobs/retry"}
"""There is no dead job to try again."""


def is_for_administrators(path):
    return "/admin" in path


HOW = ["nothing", "signed out", "disabled", "demoted"]


def ways(path):
    return [how for how in HOW if how != "demoted" or is_for_administrators(path)]


def one_way_each(operations):
    """Return each operation done by a user in good standing, and by one who is shut out in turn in each way.

    One statement checks the actor of all operations: not each needs every way.
    """
    cases = []
    for turn, (name, path) in enumerate(operations):
        nothing, *shut_out = ways(path)
        cases += [(name, nothing), (name, shut_out[turn % len(shut_out)])]
    return cases


@pytest.fixture
async def world(app, api, alice, bob, rita, rows, database_url):
    return await World(
        app, api, alice, bob, rita, rows, Database.from_settings(settings_for(database_url))
    ).begin()


class World:
    """Alice with all that she can change, Rita who administers, and another node that shuts them out."""

    def __init__(self, app, api, alice, bob, rita, rows, elsewhere):
        self.app, self.api, self.alice, self.bob, self.rita = app, api, alice, bob, rita
        self.rows, self.elsewhere = rows, elsewhere

    async def begin(self):
        client = client_of(self.app)
        self.browser = Browser(client)
        await self.browser.sign_in(self.alice)
        garden = await register_app(self.app, self.api, "https://garden.example/callback")
        await garden.let_in(self.browser)
        self.consent = await self.browser.get(garden.url(prompt="consent"))
        await self.alice.sign_in()
        items = (await self.alice.get(f"{ME}/sessions")).json()["items"]
        bobs = await bring(self.bob, "carol")
        referral, carol = (await self.rows("SELECT id, referee_id FROM referrals"))[0]
        self.names = {
            "code": (await make_code(self.alice))["code"],
            "later": (await make_code(self.alice, active=False))["code"],
            "other": next(one["id"] for one in items if not one["current"]),
            "app": garden.client_id,
            "bob": self.bob.id,
            "bobs": bobs["code"],
            "referral": str(referral),
            "carol": str(carol),
        }
        return self

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

    async def stored(self):
        return {
            table.name: sorted(map(str, await self.rows(f'SELECT * FROM "{table.name}"')))
            for table in Base.metadata.sorted_tables
        }

    async def act(self, person, how, method, path, headers, body):
        """The status of a request during which `person` is shut out, and what it changed."""
        before = {}

        async def meanwhile():
            await self.shut_out(person, how)
            before.update(await self.stored())

        path = path.format(**self.names)
        status = await slowly(self.app, method, path, headers=headers, body=body, meanwhile=meanwhile)
        after = await self.stored()
        await self.elsewhere.close()
        await self.browser.client.aclose()
        return status, {name for name in after if after[name] != before[name]}


def check(how, path, status, changed):
    if how == "nothing":
        assert status < 400
        assert changed
    else:
        assert status == (404 if is_for_administrators(path) else 401)
        assert changed == set()


@pytest.mark.parametrize(("name", "how"), one_way_each((name, path) for name, (_, path, _) in BY_API.items()))
async def test_by_api(world, name, how):
    method, path, fields = BY_API[name]
    person = world.rita if is_for_administrators(path) else world.alice
    assert (await person.get(ME)).status_code == 200  # and so it is remembered
    headers = {"Authorization": f"Bearer {person.tokens['access_token']}"}
    if fields is not None:
        headers["Content-Type"] = "application/json"
    body = b"" if fields is None else json.dumps(fields).encode()

    check(how, path, *await world.act(person, how, method, path, headers, body))


@pytest.mark.both_databases
@pytest.mark.parametrize(("path", "how"), one_way_each((path, path) for path in BY_PAGE))
async def test_by_page(world, path, how):
    person = world.rita if is_for_administrators(path) else world.alice
    if person is world.rita:
        await world.browser.sign_in(person)
    shown = world.consent if path == "/oauth/authorize" else await world.browser.get("/account")
    fields = {name: text.format(**world.names) for name, text in BY_PAGE[path].items()}
    fields = {**Form(shown.text).fields, **fields} if path == "/oauth/authorize" else fields
    token = Form(shown.text).fields["form_token"]
    headers = {
        "Cookie": "; ".join(f"{one.name}={one.value}" for one in world.browser.client.cookies.jar),
        "Origin": "http://127.0.0.1:8000",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode({**fields, "form_token": token}).encode()

    check(how, path, *await world.act(person, how, "POST", path, headers, body))


def test_no_way_to_write_is_missing():
    app = create_app(settings_for("sqlite+aiosqlite:///none"))
    operations = {
        operation["operationId"]
        for methods in app.openapi()["paths"].values()
        for method, operation in methods.items()
        if method != "get" and operation.get("security")
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
    await world.elsewhere.close()

    assert (await world.alice.delete(f"{ME}/sessions/current")).status_code == 204
