"""DELETE /api/v1/admin/referral-codes/{code}"""

import pytest
from sqlalchemy import text

from people import make_code, referrals_of, register

PATH = "/api/v1/admin/referral-codes"


async def test_a_revoked_code_is_not_found_at_once(api, rita, alice):
    code = (await make_code(alice))["code"]
    await register(api, "bob", referral_code=code)

    answer = await rita.delete(f"{PATH}/{code}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await api.get(f"/api/v1/referral-codes/{code}")).status_code == 404
    assert (await register(api, "carol", referral_code=code)).json()["code"] == "code_not_usable"
    by_email = await api.get("/api/v1/referral-codes/by-email", params={"email": alice.email})
    assert by_email.status_code == 404
    assert len(await referrals_of(alice)) == 1


async def test_the_owner_sees_it_retired_and_creates_another(rita, alice, rows):
    code = (await make_code(alice))["code"]
    await rita.delete(f"{PATH}/{code}")

    assert (await alice.get(f"/api/v1/me/referral-codes/{code}")).json()["status"] == "retired"
    assert await rows("SELECT retired_reason FROM referral_codes") == [("revoked",)]
    again = await alice.post(f"/api/v1/me/referral-codes/{code}/activate", {})
    assert again.json()["code"] == "code_retired"
    assert (await make_code(alice))["status"] == "active"
    (shown,) = [
        one
        for one in (await rita.get(f"/api/v1/admin/users/{alice.id}")).json()["codes"]
        if one["code"] == code
    ]
    assert shown["retired_reason"] == "revoked"


async def test_a_revoked_code_stays_revoked_when_its_owner_deletes_it(rita, alice, rows):
    revoked, deleted = (await make_code(alice))["code"], (await make_code(alice, active=False))["code"]
    await rita.delete(f"{PATH}/{revoked}")
    for code in (revoked, deleted):
        assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204

    shown = (await rita.get(f"/api/v1/admin/users/{alice.id}")).json()["codes"]
    assert {one["code"]: one["retired_reason"] for one in shown} == {revoked: "revoked", deleted: "deleted"}
    assert (await alice.get("/api/v1/me/referral-codes")).json()["items"] == []
    assert (await alice.delete(f"/api/v1/me/referral-codes/{revoked}")).status_code == 404


async def test_a_code_deleted_by_a_node_of_an_earlier_release_stays_hidden(app, alice):
    code = (await make_code(alice))["code"]
    async with app.state.services.database.transaction() as session:
        await session.execute(
            text("UPDATE referral_codes SET retired_at = created_at, retired_reason = 'deleted'")
        )

    assert (await alice.get("/api/v1/me/referral-codes")).json()["items"] == []
    assert (await alice.get(f"/api/v1/me/referral-codes/{code}")).status_code == 404


async def test_the_code_is_normalised(rita, alice):
    await make_code(alice, code="ALICE-2030")

    assert (await rita.delete(f"{PATH}/a1ice-2o30")).status_code == 204


async def test_a_prepared_code_can_be_revoked_too(rita, alice):
    code = (await make_code(alice, active=False))["code"]

    assert (await rita.delete(f"{PATH}/{code}")).status_code == 204


async def test_a_revoked_code_cannot_be_revoked_again(rita, alice):
    code = (await make_code(alice))["code"]
    await rita.delete(f"{PATH}/{code}")

    answer = await rita.delete(f"{PATH}/{code}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


@pytest.mark.one_database
@pytest.mark.parametrize("code", ["7KQ2M9XWPA", "----", "by-email", "%00", "０００００", "a" * 3000, "%ff"])
async def test_an_unknown_code_is_refused(rita, code):
    answer = await rita.delete(f"{PATH}/{code}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
