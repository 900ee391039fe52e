"""Enrichment: profiles are stored after the sign-up, shown to the user only, and erased."""

import json

import pytest

from goodword.jobs import service as jobs
from mailboxes import Post
from people import PASSWORD, join, make_code, referrals_of
from providers.conftest import join_and_prove, work
from providers.fake_providers import PERSON, status, text

pytestmark = pytest.mark.one_database

FIND = "/v2/combined/find"
ME = "/api/v1/me"
PROFILE = {
    "full_name": "Alice Liddell",
    "title": "Head of Curiosity",
    "role": "research",
    "company": "Rabbit Hole Ltd",
    "company_domain": "rabbit.example",
    "city": "Oxford",
    "country": "United Kingdom",
    "linkedin": "in/alice",
    "github": "alice",
    "twitter": None,
}
COUNT = "SELECT count(*) FROM profiles"


async def profile_of(person):
    answer = await person.get(ME)
    assert answer.status_code == 200
    return answer.json()["profile"]


async def alice_at(node, **settings):
    app, api = await node(**{"email_check": "off", "enrichment": "hunter"} | settings)
    return app, await join_and_prove(app, api, "alice")


@pytest.mark.parametrize("provider", ["hunter", "clearbit"])
async def test_a_profile_is_stored_and_shown_to_the_user(node, services, clock, provider):
    app, alice = await alice_at(node, enrichment=provider)
    assert await profile_of(alice) is None
    await work(app, clock)

    found = await profile_of(alice)
    assert found.pop("found_at").endswith("Z")
    assert found == PROFILE | {"provider": provider}
    assert [(path, email) for _, path, email in services.asked] == [(FIND, "alice@example.com")]
    patched = (await alice.patch(ME, {"first_name": "Al"})).json()
    assert patched["profile"]["full_name"] == "Alice Liddell"


async def test_an_unverified_address_gets_no_profile(node, services, clock, rows):
    app, api = await node(email_check="off", enrichment="hunter")
    mallory = await join(api, "alice")
    await work(app, clock, rounds=3, seconds=60)

    assert services.asked == []
    assert await profile_of(mallory) is None


async def test_a_changed_address_gets_a_profile_of_its_own(node, services, clock):
    app, alice = await alice_at(node)
    post = Post(app)
    await post()
    assert (await profile_of(alice))["full_name"] == "Alice Liddell"
    wanted = {"email": "alice@example.org", "password": PASSWORD}
    assert (await alice.post("/api/v1/me/email-changes", wanted)).status_code == 202
    [message] = await post(to="alice@example.org")

    answer = await alice.post("/api/v1/me/email-changes/confirm", {"token": message.token})

    assert answer.status_code == 204
    assert await profile_of(alice) is None
    await work(app, clock)
    assert (await profile_of(alice))["full_name"] == "Alice Liddell"
    assert [email for _, _, email in services.asked] == ["alice@example.com", "alice@example.org"]


async def test_no_request_is_made_without_enrichment(node, services, clock):
    app, alice = await alice_at(node, enrichment="none")
    await work(app, clock)

    assert services.asked == []
    assert await profile_of(alice) is None


async def test_apps_and_the_referrer_do_not_see_a_profile(node, services, clock):
    app, alice = await alice_at(node)
    code = await make_code(alice)
    bob = await join_and_prove(app, alice.api, "bob", referral_code=code["code"])
    await work(app, clock)
    assert (await profile_of(bob))["company"] == "Rabbit Hole Ltd"

    assert "Rabbit" not in json.dumps(await referrals_of(alice))
    tokens = app.state.services.access_tokens
    own = await tokens.verify(bob.tokens["access_token"], now=clock())
    shown = tokens.sign(
        user_id=own.user_id, session_id=own.session_id, client="an-app", scope="profile", now=clock()
    )
    answer = await bob.api.get(ME, headers={"Authorization": f"Bearer {shown}"})
    assert (answer.status_code, answer.json()["profile"]) == (200, None)


HOSTILE = {
    "script": ({"name": {"fullName": "<script>alert(1)</script>"}}, "<script>alert(1)</script>"),
    "controls": ({"name": {"fullName": "Al\x00ice\u202e\n\tLid\ud800dell\x1b[31m"}}, "Al ice Lid dell [31m"),
    "long": ({"name": {"fullName": "x" * 201}}, None),
    "just fits": ({"name": {"fullName": "x" * 200}}, "x" * 200),
    "very long": ({"name": {"fullName": "x" * 200_000}}, None),
    "number": ({"name": {"fullName": 5}}, None),
    "list": ({"name": ["fullName"]}, None),
    "object": ({"name": {"fullName": {"$gt": ""}}}, None),
    "true": ({"name": {"fullName": True}}, None),
    "text for a person": ("Alice", None),
    "nobody": (None, None),
    "blank": ({"name": {"fullName": " \u200b \n "}}, None),
    "sql": ({"name": {"fullName": "'); DROP TABLE users; --"}}, "'); DROP TABLE users; --"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_values_are_cleaned_or_dropped(node, services, clock, name):
    services.person, expected = HOSTILE[name]
    app, alice = await alice_at(node)
    await work(app, clock)

    found = await profile_of(alice)
    assert found["full_name"] == expected
    assert found["company"] == "Rabbit Hole Ltd", "the rest is as good as ever"


async def test_unknown_fields_are_ignored(node, services, clock, rows):
    proto = (
        '"__proto__": {"is_admin": true}, "constructor": {"prototype": {"x": 1}}, "id": "7", "user_id": "7"'
    )
    body = f'{{"data": {{{proto}, "person": {{{proto}, "name": {{"fullName": "Alice", {proto}}}}}, "company": 5}}}}'
    services.answers[FIND] = text(body)
    app, alice = await alice_at(node)
    await work(app, clock)

    found = await profile_of(alice)
    assert found["full_name"] == "Alice"
    assert found.keys() == {*PROFILE, "provider", "found_at"}
    assert await rows("SELECT is_admin FROM users WHERE email_key = 'alice@example.com'") in (
        [(0,)],
        [(False,)],
    )


async def test_a_large_answer_is_rejected(node, services, clock, rows):
    services.person = {"name": {"fullName": "x" * 1_000_000}}
    app, alice = await alice_at(node)
    await work(app, clock)

    assert await profile_of(alice) is None
    assert await rows(COUNT) == [(0,)]


@pytest.mark.parametrize("provider", ["hunter", "clearbit"])
async def test_pending_profiles_are_requested_again_and_unknown_ones_are_not(node, services, clock, provider):
    app, alice = await alice_at(node, enrichment=provider)
    services.answers[FIND] = status(202)
    await work(app, clock, minutes=1)
    assert await profile_of(alice) is None
    services.answers.clear()
    await work(app, clock)
    assert (await profile_of(alice))["provider"] == provider

    services.answers[FIND] = status(404)
    services.asked.clear()
    bob = await join_and_prove(app, alice.api, "bob")
    await work(app, clock, rounds=3, hours=2)
    await bob.sign_in()
    assert await profile_of(bob) is None
    assert services.count(FIND) == 1


@pytest.mark.parametrize("body", ["{}", '{"data": null}', '{"data": {"person": {}, "company": {}}}'])
async def test_an_empty_answer_stores_no_profile(node, services, clock, rows, body):
    services.answers[FIND] = text(body)
    app, _ = await alice_at(node)
    await work(app, clock, rounds=2, hours=2)

    assert await rows(COUNT) == [(0,)]
    assert services.count(FIND) == 1


async def test_a_restricted_address_is_never_enriched_again(node, services, clock, rows):
    app, alice = await alice_at(node)
    services.answers[FIND] = status(451)
    await work(app, clock)
    assert (await alice.delete(ME, json={"password": PASSWORD})).status_code == 204
    assert await rows("SELECT status, user_id FROM email_checks") == [("restricted", None)]

    services.answers.clear()
    again = await join(alice.api, "alice")
    await work(app, clock, rounds=2, hours=2)
    await again.sign_in()
    assert await profile_of(again) is None
    assert services.count(FIND) == 1


async def test_a_second_run_of_the_job_changes_nothing(node, services, clock, rows):
    app, alice = await alice_at(node)
    await work(app, clock)
    services.person = PERSON | {"name": {"fullName": "Somebody Else"}}
    async with app.state.services.database.transaction() as session:
        claims = await app.state.services.access_tokens.verify(alice.tokens["access_token"], now=clock())
        jobs.enqueue(session, "enrich_profile", {}, user_id=claims.user_id, now=clock())
    await work(app, clock)

    assert (await profile_of(alice))["full_name"] == "Alice Liddell"
    assert services.count(FIND) == 1
