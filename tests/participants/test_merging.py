"""A participant and an account become one person when the account verifies the reported address."""

import pytest

from participants.conftest import token_of, verify
from people import PASSWORD, join, make_code, referrals_of

pytestmark = pytest.mark.one_database


async def referred_by(person):
    return (await person.get("/api/v1/me")).json()["referred_by"]


async def total(rows):
    return await rows("SELECT count(*) FROM referrals")


@pytest.mark.both_databases
async def test_the_account_takes_id_names_code_and_referrals(acme, api, post, rows):
    carol = await acme.report("carol", first_name="Carol")
    pat = await acme.report(
        "pat",
        email="Pat@Example.com",
        first_name="Pat",
        last_name="Smith",
        referral_code=carol["code"]["code"],
        signed_up_at="2026-11-28T12:00:00Z",
    )
    await acme.report("bob", referral_code=pat["code"]["code"])
    account = await join(api, "pat", first_name=None)
    before = await total(rows)

    await verify(account, post)

    merged = await acme.read("pat")
    assert merged == pat | {"id": account.id, "email": "pat@example.com", "email_verified": True} | {
        "created_at": merged["created_at"]
    }
    me = (await account.get("/api/v1/me")).json()
    assert (me["first_name"], me["last_name"], me["referred_by"]) == ("Pat", "Smith", "Carol")
    (item,) = await referrals_of(account)
    assert item["code"] == pat["code"]["code"]
    assert await total(rows) == before
    assert await rows("SELECT count(*) FROM users WHERE status = 'erased'") == [(1,)]
    found = await api.get("/api/v1/referral-codes/by-email", params={"email": account.email})
    assert found.json()["code"] == pat["code"]["code"]
    events = "SELECT count(*) FROM audit_events WHERE action = 'user.merged' AND person_id IS NOT NULL"
    assert await rows(events) == [(1,)]


async def test_an_account_keeps_its_own_name(acme, api, post):
    await acme.report("pat", email="pat@example.com", first_name="Patricia", last_name="Smith")
    account = await join(api, "pat")

    await verify(account, post)

    merged = await acme.read("pat")
    assert (merged["first_name"], merged["last_name"]) == ("Pat", None)


@pytest.mark.both_databases
async def test_the_participants_code_stays_active(acme, api, post):
    pat = await acme.report("pat", email="pat@example.com")
    account = await join(api, "pat")
    own = await make_code(account)
    prepared = await make_code(account, active=False)
    assert (await api.get(f"/api/v1/referral-codes/{own['code']}")).status_code == 200

    await verify(account, post)

    codes = (await account.get("/api/v1/me/referral-codes")).json()["items"]
    assert {code["code"]: code["status"] for code in codes} == {
        pat["code"]["code"]: "active",
        own["code"]: "retired",
        prepared["code"]: "prepared",
    }
    assert (await api.get(f"/api/v1/referral-codes/{own['code']}")).status_code == 404


async def test_an_expired_code_of_the_participant_makes_way(acme, api, post, clock):
    pat = await acme.report("pat", email="pat@example.com")
    clock.forward(days=366)
    account = await join(api, "pat")
    own = await make_code(account)

    await verify(account, post)

    codes = (await account.get("/api/v1/me/referral-codes")).json()["items"]
    assert {code["code"]: code["status"] for code in codes} == {
        pat["code"]["code"]: "retired",
        own["code"]: "active",
    }


@pytest.mark.both_databases
@pytest.mark.parametrize("first", ["participant", "account"])
async def test_of_two_referrals_the_earlier_counts(acme, api, post, rows, first):
    carol, dora = await acme.report("carol"), await acme.report("dora")
    reported = {"email": "pat@example.com", "referral_code": carol["code"]["code"]}
    if first == "participant":
        await acme.report("pat", **reported)
    account = await join(api, "pat", referral_code=dora["code"]["code"])
    if first == "account":
        await acme.report("pat", **reported)
    before = await total(rows)

    await verify(account, post)

    winner, loser = ("carol", "dora") if first == "participant" else ("dora", "carol")
    assert (await acme.read("pat"))["referral"]["referrer"]["external_id"] == winner
    (kept,) = (await acme.get(winner, "/referrals")).json()["items"]
    (lost,) = (await acme.get(loser, "/referrals")).json()["items"]
    assert (kept["status"], kept["referee"]["external_id"]) == ("confirmed", "pat")
    assert (lost["status"], lost["referee"]["external_id"]) == ("rejected", None)
    reasons = await rows("SELECT reason FROM referrals WHERE status = 'rejected'")
    assert reasons == [("already_referred",)]
    assert await total(rows) == before


@pytest.mark.both_databases
@pytest.mark.parametrize("referrer", ["participant", "account"])
async def test_a_referral_between_the_two_is_a_self_referral(acme, api, post, rows, referrer):
    carol = await acme.report("carol")
    if referrer == "participant":
        pat = await acme.report("pat", email="pat@example.com", referral_code=carol["code"]["code"])
        account = await join(api, "pat", referral_code=pat["code"]["code"])
    else:
        account = await join(api, "pat", referral_code=carol["code"]["code"])
        code = (await make_code(account))["code"]
        await acme.report("pat", email="pat@example.com", referral_code=code)
    before = await total(rows)
    assert before == [(2,)]

    await verify(account, post)

    assert (await acme.read("pat"))["referral"]["referrer"]["external_id"] == "carol"
    (own,) = (await acme.get("pat", "/referrals")).json()["items"]
    assert own["status"] == "rejected"
    reasons = await rows("SELECT reason FROM referrals WHERE status = 'rejected'")
    assert reasons == [("self_referral",)]
    assert await total(rows) == before


@pytest.mark.both_databases
async def test_a_circle_is_not_closed(acme, api, post, rows):
    pat = await acme.report("pat", email="pat@example.com")
    zoe = await acme.report("zoe", referral_code=pat["code"]["code"])
    account = await join(api, "pat", referral_code=zoe["code"]["code"])
    before = await total(rows)

    await verify(account, post)

    assert (await acme.read("pat"))["referral"] is None
    assert (await acme.read("zoe"))["referral"]["referrer"]["external_id"] == "pat"
    (lost,) = (await acme.get("zoe", "/referrals")).json()["items"]
    assert lost["status"] == "rejected"
    reasons = await rows("SELECT reason FROM referrals WHERE status = 'rejected'")
    assert reasons == [("referral_cycle",)]
    assert await total(rows) == before


async def test_an_unverified_address_merges_nothing(acme, api):
    pat = await acme.report("pat", email="pat@example.com")

    account = await join(api, "pat")

    assert (await acme.read("pat")) == pat
    assert (await account.get("/api/v1/me/referral-codes")).json()["items"] == []


async def test_nobody_is_merged_by_guess(acme, api, post):
    people = [await acme.report(name, email="office@example.com") for name in ("pat", "bob")]
    account = await join(api, "office")

    await verify(account, post)

    assert [await acme.read(name) for name in ("pat", "bob")] == [
        person | {"warnings": []} for person in people
    ]


async def test_an_account_is_merged_with_one_participant_only(acme, api, post):
    await acme.report("pat", email="pat@example.com")
    account = await join(api, "pat")
    await verify(account, post)
    changed = await account.post(
        "/api/v1/me/email-changes", {"email": "new@example.com", "password": PASSWORD}
    )
    assert changed.status_code == 202
    await acme.report("bob", email="new@example.com")
    token = await token_of(post, "new@example.com", "change_email")

    await api.post("/api/v1/me/email-changes/confirm", json={"token": token})

    assert (await acme.read("pat"))["email"] == "new@example.com"
    assert (await acme.read("bob"))["id"] != account.id


@pytest.mark.both_databases
async def test_a_change_of_the_address_merges(acme, api, post):
    await acme.report("bob", email="new@example.com")
    account = await join(api, "pat")
    await account.post("/api/v1/me/email-changes", {"email": "new@example.com", "password": PASSWORD})
    token = await token_of(post, "new@example.com", "change_email")

    answer = await api.post("/api/v1/me/email-changes/confirm", json={"token": token})

    assert answer.status_code == 204
    assert (await acme.read("bob"))["id"] == account.id


async def test_a_disabled_participant_is_not_merged(acme, api, post, rita):
    pat = await acme.report("pat", email="pat@example.com")
    await rita.post(f"/api/v1/admin/users/{pat['id']}/disable", {})
    account = await join(api, "pat")

    await verify(account, post)

    assert (await acme.read("pat"))["id"] == pat["id"]


async def test_a_person_of_a_limited_key_stays_with_that_key(globex, initech, api, post):
    await globex.report("pat", email="pat@example.com")
    account = await join(api, "pat")

    await verify(account, post)

    assert (await globex.read("pat"))["id"] == account.id
    assert (await initech.get("pat")).status_code == 404


async def test_reporting_goes_on_after_the_merge(acme, api, post):
    await acme.report("pat", email="pat@example.com", first_name="Pat")
    account = await join(api, "pat")
    await verify(account, post)

    person = await acme.report("pat", email="pat@example.com", last_name="Smith")

    assert (person["id"], person["last_name"], person["warnings"]) == (account.id, "Smith", [])
