"""I5: the pages of administrators record the same events as the API.

A new page needs a line in `TWINS`, or one in `WITHOUT` that says why it leaves no row.
"""

import uuid

import pytest
from fastapi.routing import APIRoute

from asgi import client_of, settings_for
from goodword.app import create_app
from goodword.jobs.models import Job
from pages.pressing import press
from pages.shops import buy, friend_of
from people import bring, bring_held, join, make_code
from rewards.conftest import SCOPES, Shop
from server_keys import make_key
from third_party import Browser

pytestmark = pytest.mark.one_database

ADMIN = "/api/v1/admin"
NEW_PROGRAM, DEFAULT_PROGRAM = "/admin/programs/new", "/admin/programs/default"
RULES, RULES_PAGE = "/api/v1/programs/default/reward-rules", "/admin/programs/default/rules"
NEW_RULE = f"{RULES_PAGE}/new"
PAGES = {
    route.name: route.path
    for route in create_app(settings_for("sqlite+aiosqlite:///none")).router.routes
    if isinstance(route, APIRoute) and route.path.startswith("/admin")
}
WITHOUT = {
    "show_statistics": "it shows no personal data",
    "show_codes": "it is about codes",
    "show_jobs": "it is about jobs",
    "show_apps": "it is about apps",
    "show_programs": "it is about programs",
    "show_clicks": "it is about sites",
    "show_rules": "it is about programs",
    "show_rule": "it is about programs",
    "show_end": "it is about programs",
    "show_new_rule": "it is about programs",
    "show_dry_run": "it shows ids alone",
    "show_program_figures": "it shows counts and sums",
    "show_program": "it is about programs",
    "show_new_program": "it is about programs",
    "show_reviews": "its operation leaves none either",
    "show_webhooks": "it is about servers",
    "show_new_webhook": "it is about servers",
    "show_audit": "its operation leaves none either",
    "show_appearance": "it shows settings",
    "preview_landing": "it shows an invented user",
    "preview_email": "it shows an invented user",
    "preview_card": "it shows an invented user",
}

ALONE = {
    "retry": "it has a command",
    "disable_app": "it has a command",
    "create_api_key": "it has a command",
    "revoke_api_key": "it has a command",
    "revoke_session": "users end their own sessions by the API",
    "show_rewards": "the API lists the rewards for servers, which name nobody",
    "show_reward": "the API shows a reward to servers, without names",
    "send_program_costs": "it is a file of sums",
    "step_reward": "servers take the steps in the API",
    "show_referrals": "the API lists the referrals of one user",
} | dict.fromkeys(
    [
        "show_webhook",
        "show_webhook_deliveries",
        "show_webhook_delivery",
        "create_webhook",
        "change_webhook",
        "enable_webhook",
        "disable_webhook",
        "rotate_webhook",
        "send_test_event",
        "delete_webhook",
        "replay_webhook",
        "replay_webhook_range",
    ],
    "servers have the operation: see test_webhook_pages",
)
"""Pages without an operation for administrators, with tests of their own below or in the module that is named."""


class Twins:
    """Each action, by the API on one user and by a page on another."""

    def __init__(self, app, browser, rita):
        self.app, self.browser, self.rita = app, browser, rita

    async def pressed(self, whom, act, page="", **fields):
        here = f"/admin/users/{whom.id}"
        return await press(self.browser, here + page, f"{here}/{act}", **fields)

    async def show_users(self, _, __):
        query = {"q": "example", "status": "active"}
        yield await self.rita.get(f"{ADMIN}/users", params=query)
        yield await self.browser.client.get("/admin/users", params=query)

    async def show_user(self, alice, bob):
        yield await self.rita.get(f"{ADMIN}/users/{alice.id}")
        yield await self.browser.get(f"/admin/users/{bob.id}")

    async def show_erase(self, alice, bob):
        yield await self.rita.get(f"{ADMIN}/users/{alice.id}")
        yield await self.browser.get(f"/admin/users/{bob.id}/erase")

    async def show_tree(self, alice, bob):
        yield await self.rita.get(f"{ADMIN}/users/{alice.id}/referral-tree")
        yield await self.browser.get(f"/admin/users/{bob.id}/tree")

    async def disable(self, alice, bob):
        yield await self.rita.post(f"{ADMIN}/users/{alice.id}/disable", None)
        yield await self.pressed(bob, "disable")

    async def enable(self, alice, bob):
        await self.pressed(alice, "disable")
        await self.pressed(bob, "disable")
        yield await self.rita.post(f"{ADMIN}/users/{alice.id}/enable", None)
        yield await self.pressed(bob, "enable")

    async def erase(self, alice, bob):
        yield await self.rita.delete(f"{ADMIN}/users/{alice.id}")
        yield await self.pressed(bob, "erase", "/erase", email=bob.email)

    async def revoke(self, alice, bob):
        code = await make_code(alice)
        await make_code(bob)
        yield await self.rita.delete(f"{ADMIN}/referral-codes/{code['code']}")
        yield await press(self.browser, f"/admin/users/{bob.id}", "/admin/codes/revoke")

    async def create_program(self, _, __):
        fields = {"name": "Acme"}
        yield await self.rita.post("/api/v1/programs", fields | {"slug": "by-api"})
        fields |= {"slug": "by-page", "code_lifetime": "30"}
        yield await press(self.browser, NEW_PROGRAM, NEW_PROGRAM, **fields)

    async def change_program(self, _, __):
        yield await self.rita.patch("/api/v1/programs/default", {"status": "paused"})
        fields = {"status": "active", "code_lifetime": "365"}
        yield await press(self.browser, DEFAULT_PROGRAM, DEFAULT_PROGRAM, **fields)

    async def create_rule(self, _, __):
        terms = {"trigger": "purchase", "beneficiary": "referrer", "kind": "coupon"}
        yield await self.rita.post(RULES, terms | {"amount_minor": 500})
        yield await press(self.browser, NEW_RULE, NEW_RULE, **terms, amount_minor="5", approval="auto")

    async def change_rule(self, alice, bob):
        by_api, on_page = [await self.rule() for _ in range(2)]
        terms = {"trigger": "renewal", "beneficiary": "referrer", "kind": "coupon"}
        yield await self.rita.call("PUT", f"{RULES}/{by_api}", json=terms | {"amount_minor": 700})
        there = f"{RULES_PAGE}/{on_page}"
        yield await press(self.browser, there, there, **terms, amount_minor="7", approval="auto")

    async def end_rule(self, alice, bob):
        by_api, on_page = [await self.rule() for _ in range(2)]
        yield await self.rita.delete(f"{RULES}/{by_api}")
        there = f"{RULES_PAGE}/{on_page}/end"
        yield await press(self.browser, there, there)

    async def upload_coupons(self, alice, bob):
        by_api, on_page = [await self.rule() for _ in range(2)]
        yield await self.rita.post(f"{RULES}/{by_api}/coupons", {"codes": ["A", "B"]})
        there = f"{RULES_PAGE}/{on_page}"
        yield await press(self.browser, there, f"{there}/coupons", codes="A\n B \n\nA")

    async def rule(self):
        terms = {"trigger": "purchase", "beneficiary": "referrer", "kind": "coupon", "amount_minor": 500}
        return (await self.rita.post(RULES, terms)).json()["id"]

    async def reject(self, alice, bob):
        await bring(alice, "carol")
        theirs = f"/api/v1/users/{alice.id}/referrals"
        referral = (await alice.get(theirs)).json()["items"][0]
        dave = await join(bob.api, "dave", referral_code=(await make_code(bob))["code"])
        yield await self.rita.post(f"{ADMIN}/referrals/{referral['id']}/reject", {"reason": "Twice."})
        yield await self.pressed(dave, "reject", reason="Twice.")

    async def accept_in_review(self, alice, bob):
        theirs, other = await self.hold(alice, bob)
        yield await self.rita.post(f"/api/v1/referrals/{theirs}/accept", None)
        yield await press(self.browser, "/admin/reviews", "/admin/reviews/accept", of=other)

    async def reject_in_review(self, alice, bob):
        theirs, other = await self.hold(alice, bob)
        yield await self.rita.post(f"/api/v1/referrals/{theirs}/reject", {"reason": "Twice."})
        fields = {"of": other, "reason": "Twice."}
        yield await press(self.browser, "/admin/reviews", "/admin/reviews/reject", **fields)

    async def hold(self, alice, bob):
        """Return the ids of a held referral of each."""
        theirs = await bring_held(self.app, alice, "carol", "dave")
        return theirs, await bring_held(self.app, bob, "erin", "frank")


def test_i5_every_administrator_page_has_an_api_twin():
    assert {name for name in vars(Twins) if name in PAGES} | set(WITHOUT) | set(ALONE) == set(PAGES)


@pytest.fixture
async def twins(app, rita):
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        yield Twins(app, browser, rita)


async def left(rows, answer, names):
    """Return the events of a request, with ids replaced by their names in `names`."""
    query = """SELECT action, actor, actor_id, person_id, subject, subject_id, address, details FROM audit_events
        WHERE request_id = :request_id"""
    found = await rows(query, request_id=answer.headers["x-request-id"])
    who = {one.id: name for name, one in names.items()}

    def named(value):
        return value and who.get(str(uuid.UUID(str(value))), "something")

    return sorted(
        (action, actor, named(actor_id), named(person), subject, named(subject_id), address, details)
        for action, actor, actor_id, person, subject, subject_id, address, details in found
    )


@pytest.mark.parametrize("name", sorted(set(PAGES) - set(WITHOUT) - set(ALONE)))
async def test_i5_a_page_records_the_same_events_as_its_twin(twins, rita, alice, bob, rows, name):
    by_api, on_page = [answer async for answer in getattr(twins, name)(alice, bob)]

    assert by_api.status_code < 300, by_api.text
    assert on_page.status_code in (200, 303), on_page.text
    expected = await left(rows, by_api, {"rita": rita, "whom": alice})
    assert expected
    assert await left(rows, on_page, {"rita": rita, "whom": bob}) == expected
    assert {row[2] for row in expected} == {"rita"}


@pytest.mark.parametrize("name", WITHOUT)
async def test_pages_without_personal_data_record_nothing(twins, rita, rows, name):
    path = PAGES[name].replace("{slug}", "default")
    if "{rule_id" in path:
        path = path.replace("{rule_id:uuid}", await twins.rule())

    answer = await twins.browser.get(path)

    assert answer.status_code == 200
    assert await left(rows, answer, {}) == []


async def test_a_search_of_referrals_is_recorded(twins, rita, alice, rows):
    await bring(alice, "carol")

    answer = await twins.browser.get("/admin/referrals?q=carol")

    [(action, *_, details)] = await left(rows, answer, {})
    assert (action, details) == ("users.searched", '{"found":1}')


@pytest.mark.parametrize("name", ["users", "referrals", "rewards", "codes", "apps", "jobs", "audit"])
async def test_a_downloaded_list_is_recorded(twins, rita, rows, name):
    answer = await twins.browser.get(f"/admin/{name}.csv")

    recorded = ("list.exported", "user", "rita", None, "none", None, "127.0.0.1", f'{{"list":"{name}"}}')
    assert await left(rows, answer, {"rita": rita}) == [recorded]


async def test_downloaded_costs_are_recorded(twins, rita, rows):
    answer = await twins.browser.get("/admin/programs/default/costs.csv")

    assert [(row[0], row[-1]) for row in await left(rows, answer, {})] == [
        ("list.exported", '{"list":"costs"}')
    ]


async def test_what_is_seen_and_done_with_rewards_is_recorded(twins, app, api, rita, alice, rows):
    shop = Shop(api, await make_key(app, SCOPES))
    await shop.rule(approval="manual")
    reward = await buy(shop, await friend_of(alice))
    here, names = f"/admin/rewards/{reward['id']}", {"rita": rita, "whom": alice}

    listed = await twins.browser.get("/admin/rewards?q=alice")
    seen = await twins.browser.get(here)
    done = await press(twins.browser, here, f"{here}/approve")

    assert [(row[0], row[-1]) for row in await left(rows, listed, names)] == [
        ("users.searched", '{"found":1}')
    ]
    assert [row[:4] for row in await left(rows, seen, names)] == [("user.viewed", "user", "rita", "whom")]
    assert [row[:5] for row in await left(rows, done, names)] == [
        ("reward.approved", "user", "rita", "whom", "reward")
    ]


async def test_a_session_that_an_administrator_revokes_is_recorded(twins, rita, alice, rows):
    answer = await twins.pressed(alice, "sessions/revoke")

    [event] = await left(rows, answer, {"rita": rita, "whom": alice})
    assert event[:5] == ("session.ended", "user", "rita", "whom", "session")
    assert event[-1] == '{"why":"administrator"}'


@pytest.mark.parametrize("which", ["kind", "of"])
async def test_i5_retried_jobs_are_recorded_with_the_administrator(twins, app, rita, rows, which):
    now = app.state.services.clock()
    dead = Job(
        kind="notice", payload="{}", created_at=now, run_at=now, attempts=10, finished_at=now, outcome="dead"
    )
    async with app.state.services.database.transaction() as session:
        session.add(dead)
    fields = {"kind": "notice", "of": ""} if which == "kind" else {"kind": "", "of": str(dead.id)}

    answers = [await press(twins.browser, "/admin/jobs", "/admin/jobs/retry", **fields) for _ in range(2)]

    kind = fields["kind"]
    subject_id = None if kind else "something"
    assert await left(rows, answers[0], {"rita": rita}) == [
        (
            "jobs.retried",
            "user",
            "rita",
            None,
            "job",
            subject_id,
            "127.0.0.1",
            f'{{"jobs":1,"kind":"{kind}"}}',
        )
    ]
    assert await left(rows, answers[1], {"rita": rita}) == [], "nothing was left to try again"


async def test_i5_a_refused_action_on_a_page_is_recorded_as_a_view(twins, rita, alice, rows):
    here = f"/admin/users/{alice.id}"
    refused = {
        "oneself": await twins.pressed(rita, "disable"),
        "another address": await twins.pressed(alice, "erase", "/erase", email="bob@example.com"),
    }
    for answer in refused.values():
        ((action, *_),) = await left(rows, answer, {})
        assert action == "user.viewed"
    foreign = await press(twins.browser, here, f"{here}/disable", form_token="0" * 64)
    assert foreign.status_code == 403
    assert await left(rows, foreign, {}) == []
