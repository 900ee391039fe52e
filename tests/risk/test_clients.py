"""The network and the user agent of a referrer and a referee, compared within a day by keyed hashes."""

import pytest
from sqlalchemy import select

from asgi import client_of
from goodword.jobs import service as jobs
from goodword.jobs.worker import Worker
from goodword.retention import HANDLERS
from goodword.tables import Base
from goodword.touches.models import Touch
from participants.conftest import Server
from people import make_code, referrals_of, register
from second_service import second_service
from server_keys import make_key

OFFICE, AGENT = "203.0.113.9", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOTH = {"same_network": "medium", "same_device": "medium"}


@pytest.fixture
async def office(app):
    """Yield a client in the office."""
    async with client_of(app, peer=OFFICE) as client:
        client.headers["user-agent"] = AGENT
        yield client


@pytest.fixture
async def code(alice, office):
    """Return the code of Alice, who signs in at the office."""
    answer = await office.post("/api/v1/sessions", json={"email": alice.email, "password": alice.password})
    alice.tokens = answer.json()
    return (await make_code(alice, lifetime=30 * 86400))["code"]


async def test_e80_a_shared_office_address_alone_is_low_and_refuses_nothing(office, alice, code, signals):
    office.headers["user-agent"] = "Another browser/2.0"
    assert (await register(office, "bob", referral_code=code)).status_code == 201

    assert await signals() == {"bob": {"same_network": "low"}}
    assert [one["status"] for one in await referrals_of(alice)] == ["confirmed"]


async def test_the_same_user_agent_alone_is_low(elsewhere, code, signals):
    elsewhere.headers["user-agent"] = AGENT
    await register(elsewhere, "bob", referral_code=code)

    assert await signals() == {"bob": {"same_device": "low"}}


async def test_network_and_device_together_are_medium_and_hold_nothing(office, alice, code, signals):
    await register(office, "bob", referral_code=code)

    assert await signals() == {"bob": BOTH}
    assert [one["status"] for one in await referrals_of(alice)] == ["confirmed"]


async def test_another_network_and_device_are_no_signal(elsewhere, code, signals):
    await register(elsewhere, "bob", referral_code=code)

    assert await signals() == {}


async def test_a_missing_user_agent_is_no_device(alice, office, elsewhere, signals):
    for client in (office, elsewhere):
        del client.headers["user-agent"]
    await office.post("/api/v1/sessions", json={"email": alice.email, "password": alice.password})
    code = (await make_code(alice))["code"]
    await register(elsewhere, "bob", referral_code=code)

    assert await signals() == {}


async def test_the_two_are_compared_within_a_day(office, code, clock, signals):
    clock.forward(hours=23, minutes=59)
    await register(office, "bob", referral_code=code)
    clock.forward(minutes=2)
    await register(office, "carol", referral_code=code)

    assert await signals() == {"bob": BOTH}


async def test_the_first_use_of_a_day_counts_as_a_sign_in(office, alice, code, clock, signals):
    clock.forward(days=3)
    form = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}
    assert (await office.post("/oauth/token", data=form)).status_code == 200
    await register(office, "bob", referral_code=code)

    assert await signals() == {"bob": BOTH}


async def test_the_first_page_of_a_day_counts_as_a_sign_in(office, alice, code, clock, signals):
    form = {"email": alice.email, "password": alice.password}
    await office.post("/sign-in", data=form, headers={"origin": str(office.base_url)})
    clock.forward(days=3)
    assert (await office.get("/people")).status_code == 200
    await register(office, "bob", referral_code=code)

    assert await signals() == {"bob": BOTH}


async def test_the_caller_of_a_key_is_not_the_network_of_the_participant(app, office, code, signals):
    acme = Server(office, await make_key(app, ("participants:read", "participants:write")))
    await acme.report("bob", referral_code=code)

    assert await signals() == {}


async def test_the_click_tells_the_network_of_a_participant(app, api, office, code, clock, signals):
    clicked = await office.get(f"/r/{code}")
    await app.state.services.touches.flush()
    ((touch,),) = await app.state.services.database.rows(select(Touch.id))
    clock.forward(days=3)
    acme = Server(api, await make_key(app, ("participants:read", "participants:write")))
    made = await acme.report("bob", touch=[str(touch)])

    assert clicked.status_code == 200
    assert made["referral"]["attributed_by"] == "touch"
    assert await signals() == {"bob": BOTH}


@pytest.mark.parametrize("network", ["203.0.113.0/24", "203.0.113.9"])
async def test_e82_an_allowed_network_is_not_flagged(database_url, alice, signals, rows, network):
    async with second_service(database_url, risk_allowed_networks=network) as service:
        for peer, name in ((OFFICE, "bob"), ("192.0.2.1", "carol")):
            async with client_of(service.app, peer=peer) as client:
                body = {"email": alice.email, "password": alice.password}
                alice.tokens = (await client.post("/api/v1/sessions", json=body)).json()
                code = (await alice.get("/api/v1/me/referral-codes")).json()["items"]
                text = code[0]["code"] if code else (await make_code(alice))["code"]
                await register(client, name, referral_code=text)

    assert await signals() == {"carol": BOTH}
    assert await rows("SELECT count(*) FROM seen_clients") == [(1,)]


def is_named(value):
    """Return whether a value has the address of the office in it, or the user agent."""
    given = (OFFICE, AGENT, repr(bytes(map(int, OFFICE.split("."))))[2:-1])
    return any(text in repr(value) for text in given)


async def test_e81_no_table_has_a_network_or_a_user_agent(office, code, app, rows):
    """Search all tables but two: the address stands in the audit log, and its first part with a session: both for other purposes."""
    await office.get(f"/r/{code}")
    await register(office, "bob", referral_code=code)
    await app.state.services.touches.flush()
    assert await rows("SELECT count(*) FROM risk_signals WHERE evidence_mac IS NOT NULL") == [(2,)]

    found = set()
    async with app.state.services.database.readers() as reader:
        for table in Base.metadata.sorted_tables:
            for row in (await reader.execute(table.select())).mappings():
                found |= {f"{table.name}.{name}" for name, value in row.items() if is_named(value)}

    assert found == {"audit_events.address"}


async def test_e81_the_hashes_are_removed_after_a_month(office, code, app, clock, rows):
    await register(office, "bob", referral_code=code)
    evidence = "SELECT count(*) FROM risk_signals WHERE evidence_mac IS NOT NULL"
    seen = "SELECT count(*) FROM seen_clients"

    async def left():
        services = app.state.services
        async with services.database.transaction() as session:
            for kind in ("purge_seen_clients", "clear_touch_hashes"):
                jobs.enqueue(session, kind, {}, now=clock())
        await Worker(services, HANDLERS).run_due()
        return [(await rows(query))[0][0] for query in (seen, evidence)]

    clock.forward(days=29, hours=23)
    assert await left() == [1, 2]
    clock.forward(hours=2)
    assert await left() == [0, 0]
    assert await rows("SELECT count(*) FROM risk_signals") == [(2,)], "the kinds and levels stay"
