"""A referee who was erased and comes back earns no second reward, and is recognised by a keyed hash alone."""

from dataclasses import replace

import pytest

from goodword.domain_events.events import ReferralMade
from goodword.jobs import service as jobs
from goodword.jobs.worker import Worker
from goodword.retention import HANDLERS
from participants.conftest import Server
from people import join, make_code
from server_keys import make_key

EMAIL = "bob.b@gmail.com"


@pytest.fixture
async def acme(app, api):
    return Server(api, await make_key(app, ("participants:read", "participants:write")))


@pytest.fixture
def made(app):
    """Return the events of the referrals that are made."""
    events = []
    services = app.state.services

    async def note(_session, _services, event):
        events.append(event)

    app.state.services = replace(services, domain_events={ReferralMade: [note]})
    yield events
    app.state.services = services


async def test_e91_an_erased_referee_who_comes_back_is_recognised(api, alice, made, signals):
    code = (await make_code(alice))["code"]
    bob = await join(api, "bob", email=EMAIL, referral_code=code)
    await bob.delete("/api/v1/me", json={"password": bob.password})
    await join(api, "again", email="bobb+1@gmail.com", referral_code=code)
    await join(api, "other", email="other@gmail.com", referral_code=code)

    assert [event.registered_before for event in made] == [False, True, False]
    assert await signals() == {"bobb+1": {"registered_before": "medium"}}


async def test_e91_a_participant_is_recognised_by_the_external_id(acme, made):
    code = (await acme.report("alice"))["code"]["code"]
    await acme.report("bob", referral_code=code)
    assert (await acme.delete("bob")).status_code == 204
    again = await acme.report("bob", referral_code=code)

    assert [event.registered_before for event in made] == [False, True]
    assert again["referral"]["status"] == "confirmed"


async def test_e91_a_participant_is_recognised_by_the_reported_address(acme, made):
    code = (await acme.report("alice"))["code"]["code"]
    await acme.report("bob", email=EMAIL, referral_code=code)
    await acme.delete("bob")
    await acme.report("bob-2", email=EMAIL, referral_code=code)

    assert [event.registered_before for event in made] == [False, True]


async def test_a_person_without_a_referral_is_new_after_an_erasure(api, alice, made):
    bob = await join(api, "bob", email=EMAIL)
    await bob.delete("/api/v1/me", json={"password": bob.password})
    await join(api, "again", email=EMAIL, referral_code=(await make_code(alice))["code"])

    assert [event.registered_before for event in made] == [False]


async def test_erased_referees_are_recognised_for_two_years(app, acme, made, clock, rows):
    code = (await acme.report("alice"))["code"]["code"]
    await acme.report("bob", referral_code=code)
    await acme.delete("bob")

    async def left():
        async with app.state.services.database.transaction() as session:
            jobs.enqueue(session, "purge_former_referees", {}, now=clock())
        await Worker(app.state.services, HANDLERS).run_due()
        return (await rows("SELECT count(*) FROM former_referees"))[0][0]

    clock.forward(days=729, hours=23)
    assert await left() == 1
    clock.forward(hours=2)
    assert await left() == 0


async def test_an_erasure_clears_what_two_people_share(app, api, alice, rows):
    await alice.sign_in()
    code = (await make_code(alice))["code"]
    answer = await api.post(
        "/api/v1/users",
        json={"email": EMAIL, "password": alice.password, "referral_code": code},
    )
    assert answer.status_code == 201
    evidence = "SELECT count(*) FROM risk_signals WHERE evidence_mac IS NOT NULL"
    assert await rows(evidence) == [(2,)]

    await alice.delete("/api/v1/me", json={"password": alice.password})

    assert await rows(evidence) == [(0,)]
    assert await rows("SELECT count(*) FROM seen_clients") == [(0,)]
