"""POST /participants/{external_id}/tokens."""

import pytest

OPEN = ("/api/v1/me/referral-codes", "/api/v1/me/referrals", "/api/v1/me/referral-stats")


async def token_of(server, external_id):
    answer = await server.post(external_id, "/tokens")
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
    return answer.json()["access_token"]


async def statuses(api, token, paths=OPEN):
    headers = {"Authorization": f"Bearer {token}"}
    return {(await api.get(path, headers=headers)).status_code for path in paths}


async def test_it_opens_three_lists_of_the_person(acme, api):
    alice = await acme.report("alice")
    await acme.report("bob", referral_code=alice["code"]["code"])
    headers = {"Authorization": f"Bearer {await token_of(acme, 'alice')}"}

    codes = (await api.get(OPEN[0], headers=headers)).json()["items"]
    referrals = (await api.get(OPEN[1], headers=headers)).json()["items"]
    total = (await api.get(OPEN[2], headers=headers)).json()["total"]

    assert [code["code"] for code in codes] == [alice["code"]["code"]]
    assert (len(referrals), total) == (1, 1)


@pytest.mark.one_database
async def test_it_opens_nothing_else(acme, api, app):
    alice = await acme.report("alice")
    headers = {"Authorization": f"Bearer {await token_of(acme, 'alice')}"}

    paths = ("/api/v1/me", "/api/v1/me/export", f"/api/v1/users/{alice['id']}/referrals", "/oauth/userinfo")
    assert {(await api.get(path, headers=headers)).status_code for path in paths} == {403}
    created = await api.post(OPEN[0], json={"lifetime": 60}, headers=headers)
    assert (created.status_code, created.json()["code"]) == (403, "insufficient_scope")
    assert (await acme.call("GET", "/api/v1/participants/alice", headers=headers)).status_code == 403


async def test_a_person_has_one_session_for_all_of_them(acme, api, rows, clock):
    await acme.report("alice")
    first = await token_of(acme, "alice")
    clock.forward(minutes=9)
    second = await token_of(acme, "alice")
    clock.forward(minutes=2)

    assert await statuses(api, first) == {401}
    assert await statuses(api, second) == {200}
    clock.forward(hours=1)
    assert await statuses(api, await token_of(acme, "alice")) == {200}
    assert await rows("SELECT count(*) FROM sessions") == [(1,)]


async def test_it_ends_with_the_erasure(acme, api):
    await acme.report("alice")
    token = await token_of(acme, "alice")
    assert await statuses(api, token) == {200}

    await acme.delete("alice")

    assert await statuses(api, token) == {401}


@pytest.mark.one_database
async def test_a_disabled_person_has_none(acme, api, app, rita):
    alice = await acme.report("alice")
    token = await token_of(acme, "alice")
    disabled = await rita.post(f"/api/v1/admin/users/{alice['id']}/disable", {})
    assert disabled.status_code == 200, disabled.text

    assert await statuses(api, token) == {401}
    for answer in (
        await acme.post("alice", "/tokens"),
        await acme.put("alice", first_name="A"),
        await acme.post("alice", "/codes", {"lifetime": 60}),
    ):
        assert (answer.status_code, answer.json().get("code")) == (409, "participant_disabled")
    assert (await acme.get("alice")).status_code == 200
    assert (await acme.delete("alice")).status_code == 204
