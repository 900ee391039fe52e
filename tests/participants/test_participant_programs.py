"""Participants of several programs, and keys that reach one program alone."""

import pytest

pytestmark = pytest.mark.one_database


@pytest.mark.both_databases
async def test_another_programs_key_sees_nothing(globex, initech, acme):
    person = await globex.report("user-42", email="x@example.com")
    code = person["code"]["code"]

    for answer in (
        await initech.get("user-42"),
        await initech.delete("user-42"),
        await initech.get("user-42", "/referrals"),
        await initech.get("user-42", "/codes"),
        await initech.get("user-42", "/export"),
        await initech.post("user-42", "/codes", {"lifetime": 60}),
        await initech.post("user-42", "/tokens"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "participant_not_found")
    taken = await initech.put("user-42", first_name="Eve")
    assert (taken.status_code, taken.json()["code"]) == (409, "external_id_taken")
    assert (await initech.report("eve", referral_code=code))["warnings"] == ["code_unknown"]
    assert (await globex.read("user-42")) == person
    assert (await acme.read("user-42"))["id"] == person["id"]


async def test_a_limited_key_sees_no_people_of_other_keys(globex, acme):
    await acme.report("user-42")

    assert (await globex.get("user-42")).status_code == 404
    assert (await globex.put("user-42")).status_code == 409


async def test_a_limited_key_names_no_other_program(globex, initech):
    other = initech.program.slug

    for answer in (
        await globex.put("user-42", program=other),
        await globex.put("user-42", program="no-such"),
        await globex.put("user-42", program="default"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "program_not_found")
    assert (await globex.put("user-42", program=globex.program.slug)).status_code == 201
    assert (await globex.get("user-42", program=other)).status_code == 404


@pytest.mark.both_databases
async def test_a_person_can_be_in_several_programs(acme, globex):
    slug = globex.program.slug
    alice = await acme.report("alice")
    summer = await acme.report("alice", program=slug)
    bob = await acme.report("bob", referral_code=alice["code"]["code"])

    joined = await acme.report("bob", referral_code=summer["code"]["code"], program=slug)

    assert summer["code"]["code"] != alice["code"]["code"]
    assert bob["referral"]["code"] == alice["code"]["code"]
    assert joined["referral"]["code"] == summer["code"]["code"]
    assert joined["referral"]["id"] != bob["referral"]["id"]
    assert len((await acme.get("alice", "/referrals")).json()["items"]) == 2
    assert (await acme.read("bob"))["referral"] == bob["referral"]
    named = (await acme.get("bob", program=slug)).json()
    assert named["referral"] == joined["referral"]


async def test_the_code_decides_the_program_if_none_is_named(acme, globex):
    owner = await globex.report("alice")

    bob = await acme.report("bob", referral_code=owner["code"]["code"])

    assert bob["referral"]["referrer"]["external_id"] == "alice"
    assert bob["code"] is not None
    assert await acme.read("bob") == bob
    assert await acme.report("bob") == bob


async def test_codes_are_created_in_the_program_that_is_named(acme, globex):
    await acme.report("alice")

    exists = await acme.post("alice", "/codes", {"lifetime": 3600})
    created = await acme.post("alice", "/codes", {"lifetime": 3600, "program": globex.program.slug})

    assert (exists.status_code, exists.json()["code"]) == (409, "active_code_exists")
    assert created.status_code == 201
    location = created.headers["location"]
    assert (await acme.api.get(location)).json()["code"] == created.json()["code"]
    assert len((await acme.get("alice", "/codes", status="active")).json()["items"]) == 2
    page = (await acme.get("alice", "/codes", limit="1")).json()
    rest = (await acme.get("alice", "/codes", limit="1", cursor=page["next_cursor"])).json()
    assert {code["code"] for code in page["items"] + rest["items"]} > {created.json()["code"]}
    assert rest["next_cursor"] is None
