"""GET /participants/{external_id}/referrals, and what others see of participants."""

import pytest

from goodword.invitations import reminders
from goodword.jobs import service as jobs
from people import make_code, referrals_of

pytestmark = pytest.mark.one_database


@pytest.mark.both_databases
async def test_the_list_has_the_external_ids(acme):
    alice = await acme.report("alice")
    for name in ("bob", "carol"):
        await acme.report(
            name,
            email=f"{name}@example.com",
            first_name=name.title(),
            referral_code=alice["code"]["code"],
        )

    page = (await acme.get("alice", "/referrals", limit="1")).json()
    rest = (await acme.get("alice", "/referrals", limit="1", cursor=page["next_cursor"])).json()

    assert [item["referee"] for item in page["items"] + rest["items"]] == [
        {"display_name": "Carol", "email_masked": "c***@example.com", "external_id": "carol"},
        {"display_name": "Bob", "email_masked": "b***@example.com", "external_id": "bob"},
    ]
    assert page["items"][0]["status"] == "confirmed"
    assert (await acme.get("alice", "/referrals", status="rejected")).json()["items"] == []
    other = await acme.get("bob", "/referrals", cursor=page["next_cursor"])
    assert (other.status_code, other.json()["code"]) == (400, "cursor_invalid")


async def test_a_referrer_with_an_account_sees_the_masked_address_and_no_external_id(acme, alice, post):
    code = await make_code(alice)
    await acme.report("bob", email="bob@example.com", first_name="Bob", referral_code=code["code"])

    (item,) = await referrals_of(alice)

    assert item["referee"] == {"display_name": "Bob", "email_masked": "b***@example.com"}
    assert [letter.to for letter in await post()] == [alice.email, alice.email]


async def test_no_e_mail_goes_to_participants(acme, post):
    alice = await acme.report("alice", email="alice@example.com")

    await acme.report("bob", email="bob@example.com", referral_code=alice["code"]["code"])

    assert await post() == []


async def test_a_lookup_by_an_unknown_id_is_404(acme):
    for rest in ("", "/referrals", "/codes", "/export"):
        assert (await acme.get("nobody", rest)).status_code == 404


async def test_no_participant_is_reminded_of_a_code_that_expires(acme, app, clock, post, rows):
    await acme.report("bob", email="bob@example.com")
    clock.forward(days=363)
    async with app.state.services.database.transaction() as session:
        jobs.enqueue(session, reminders.KIND, {}, now=clock())

    assert await post() == []
    assert await rows("SELECT kind FROM jobs WHERE outcome = 'dead' OR finished_at IS NULL") == []
