"""Administrators find and see participants, who may have neither an account nor a name."""

import pytest

from asgi import client_of
from goodword.admin import service
from people import make_code
from third_party import Browser

pytestmark = pytest.mark.one_database


@pytest.fixture
async def office(app, rita):
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        yield browser


@pytest.mark.both_databases
async def test_a_participant_is_found_by_id_and_by_the_reported_address(acme, rita):
    pat = await acme.report("user-4711", email="Pat@example.com")

    for query in ({"q": "user-4711"}, {"q": "r-47"}, {"email": "pat@EXAMPLE.com"}, {"q": "pat@exam"}):
        found = (await rita.get("/api/v1/admin/users", params=query)).json()["items"]
        assert [user["id"] for user in found] == [pat["id"]], query
    user = (await rita.get(f"/api/v1/admin/users/{pat['id']}")).json()
    assert (user["email"], user["email_verified"]) == (None, False)
    assert (user["external_id"], user["reported_email"]) == ("user-4711", "Pat@example.com")


async def test_an_account_is_found_before_people_reported_with_its_address(acme, alice, rita, office):
    person = await acme.report("user-4711", email=alice.email)

    found = (await rita.get("/api/v1/admin/users", params={"email": alice.email})).json()["items"]
    page = (await office.get("/admin/users", params={"q": alice.email})).text

    assert [user["id"] for user in found] == [person["id"], alice.id]
    assert f"/admin/users/{alice.id}" in page
    assert f"/admin/users/{person['id']}" in page
    codes = (await office.get("/admin/codes", params={"q": alice.email})).text
    assert person["code"]["code"] not in codes


async def test_pages_show_people_without_a_name(acme, alice, office, rita):
    code = await make_code(alice)
    bob = await acme.report("user-4711", referral_code=code["code"])
    await acme.report("user-4712", email="carol@example.com", referral_code=bob["code"]["code"])

    for path in (
        "/admin",
        "/admin/users",
        "/admin/codes",
        "/admin/referrals",
        "/admin/audit",
        f"/admin/users/{bob['id']}",
        f"/admin/users/{bob['id']}/tree",
        "/admin/users?q=user-4711",
        "/admin/users?sort=email",
        "/admin/users?sort=name",
    ):
        page = await office.get(path)
        assert page.status_code == 200, path
        assert "user-4711" in page.text, path
        assert "Erased user" not in page.text, path
    tree = (await rita.get(f"/api/v1/admin/users/{bob['id']}/referral-tree")).json()
    assert {node["email"] for node in tree["items"]} == {None, "carol@example.com", alice.email}
    assert "carol@example.com" in (await office.get("/admin/users")).text


async def test_an_erasure_is_confirmed_by_the_external_id(acme, office):
    bob = await acme.report("user-4711", email="bob@example.com")
    here = f"/admin/users/{bob['id']}"

    for typed in ("", "bob@example.com", "user-4712"):
        form = await office.get(f"{here}/erase")
        answer = await office.send(form, email=typed)
        assert "This is not the user’s external id." in answer.text
    answer = await office.send(await office.get(f"{here}/erase"), email=" user-4711 ")

    assert answer.headers["location"].endswith("?done=erased")
    assert (await acme.get("user-4711")).status_code == 404


async def test_a_command_finds_the_account_and_not_who_was_reported_with_its_address(acme, alice, app):

    person = await acme.report("user-4711", email=alice.email)

    async with app.state.services.database.readers() as session:
        found = await service.find(session, alice.email)
        by_id = await service.find(session, "user-4711")

    assert (str(found.id), str(by_id.id)) == (alice.id, person["id"])
