"""DELETE /participants/{external_id}, and the export."""

import pytest
from sqlalchemy import update

from database_search import find_words
from goodword.users.models import User
from participants.conftest import verify
from people import join, sign_in

pytestmark = pytest.mark.one_database


@pytest.mark.both_databases
async def test_e89_it_leaves_no_trace(acme, app, post):
    alice = await acme.report("alice")
    await acme.put(
        "bob-8471",
        email="bob-8471@example.com",
        first_name="Robertino",
        referral_code=alice["code"]["code"],
        key="k1",
    )
    await acme.batch({"external_id": "bob-8471", "last_name": "Robertson"}, key="k2")

    assert (await acme.delete("bob-8471")).status_code == 204
    await post()

    assert (await acme.delete("bob-8471")).status_code == 404
    assert await find_words(app, "bob-8471", "Robertino", "Robertson") == set()


async def test_e89_the_referrer_keeps_the_count(acme):
    alice = await acme.report("alice")
    await acme.report("bob", first_name="Bob", email="b@example.com", referral_code=alice["code"]["code"])

    await acme.delete("bob")

    (item,) = (await acme.get("alice", "/referrals")).json()["items"]
    assert item["referee"] == {"display_name": "A friend", "email_masked": None, "external_id": None}
    assert item["status"] == "confirmed"


async def test_e90_an_erased_referrer_is_named_no_more(acme, api, rows):
    alice = await acme.report("alice", first_name="Alice")
    bob = await acme.put("bob", referral_code=alice["code"]["code"], key="k1")
    assert bob.json()["referral"]["referrer"]["display_name"] == "Alice"

    await acme.delete("alice")

    referrer = (await acme.read("bob"))["referral"]["referrer"]
    assert referrer == {"external_id": None, "display_name": "A friend"}
    assert (await api.get(f"/api/v1/referral-codes/{alice['code']['code']}")).status_code == 404
    stored = await rows("SELECT body FROM idempotency_keys")
    assert all("Alice" not in body for (body,) in stored)


@pytest.mark.both_databases
async def test_e91_the_id_can_be_reported_again_for_a_new_person(acme):
    first = await acme.report("bob", first_name="Bob")
    await acme.delete("bob")

    answer = await acme.put("bob")

    assert answer.status_code == 201
    assert answer.json()["id"] != first["id"]
    assert answer.json()["first_name"] is None
    assert answer.json()["code"]["code"] != first["code"]["code"]


async def test_e92_the_export_has_the_persons_data_and_none_of_the_others(acme):
    alice = await acme.report("alice", email="alice@example.com", first_name="Alice", last_name="Liddell")
    bob = await acme.report(
        "bob", email="bob@example.com", first_name="Bob", referral_code=alice["code"]["code"]
    )
    await acme.report("carol", email="carol@example.com", referral_code=bob["code"]["code"])

    answer = await acme.get("bob", "/export")

    assert answer.status_code == 200
    document = answer.json()
    assert document["account"]["external_id"] == "bob"
    assert document["account"]["reported_email"] == "bob@example.com"
    assert [code["code"] for code in document["codes"]] == [bob["code"]["code"]]
    assert document["referred_by"] == "Alice L."
    assert document["referrals"][0]["referee"]["email_masked"] == "c***@example.com"
    for text in ("Liddell", "alice@example.com", "carol@example.com", '"carol"'):
        assert text not in answer.text


async def test_the_account_of_a_merged_participant_is_erased_too(acme, api, post):
    await acme.report("pat", email="pat@example.com")
    account = await join(api, "pat")
    await verify(account, post)

    assert (await acme.delete("pat")).status_code == 204

    assert (await account.get("/api/v1/me")).status_code == 401
    assert (await sign_in(api, account.email)).status_code == 401


async def test_no_key_erases_an_administrator(acme, rita, app):
    async with app.state.services.database.transaction() as session:
        await session.execute(update(User).where(User.is_admin).values(external_id="rita"))

    refused = await acme.delete("rita")

    assert refused.status_code == 409
    assert refused.json()["code"] == "participant_administers"
    assert (await rita.get("/api/v1/me")).status_code == 200
