"""GET /api/v1/admin/users/{user_id}/referral-tree"""

import uuid

import pytest

from goodword.admin import referral_tree
from people import join, make_code

PATH = "/api/v1/admin/users"


async def bring(api, referrer, *names):
    code = (await make_code(referrer))["code"]
    return [await join(api, name, referral_code=code) for name in names]


async def tree_of(rita, person, **query):
    answer = await rita.get(f"{PATH}/{person.id}/referral-tree", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def outline(nodes):
    return [(node["level"], node["email"], node["referrals"]) for node in nodes]


@pytest.fixture
async def family(api, alice):
    """Alice brought Bob and Carol, Bob brought Dave, and each after him the next."""
    bob, carol = await bring(api, alice, "bob", "carol")
    people = {"alice": alice, "bob": bob, "carol": carol}
    last = bob
    for name in ("dave", "erin", "frank", "grace", "heidi"):
        (last,) = await bring(api, last, name)
        people[name] = last
    return people


async def test_the_tree_is_sorted_by_level_and_newest_first(rita, family):
    assert outline(await tree_of(rita, family["alice"])) == [
        (0, "alice@example.com", 2),
        (1, "carol@example.com", 0),
        (1, "bob@example.com", 1),
        (2, "dave@example.com", 1),
        (3, "erin@example.com", 1),
    ]


async def test_the_tree_has_the_referrer(rita, family):
    up, root, *_ = await tree_of(rita, family["bob"], depth=1)

    assert (up["level"], up["user_id"], up["referrals"]) == (-1, family["alice"].id, 2)
    assert (root["level"], root["user_id"], root["referrer_id"]) == (0, family["bob"].id, up["user_id"])
    assert (root["referral_status"], up["referrer_id"]) == ("confirmed", None)
    assert root["joined_at"]
    assert root["referral_id"]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
async def test_depth_limits_the_levels(rita, family, depth):
    nodes = await tree_of(rita, family["alice"], depth=depth)

    assert max(node["level"] for node in nodes) == depth


@pytest.mark.one_database
@pytest.mark.parametrize("depth", [0, -1, 6, 10**18, "1.0", "x", ""])
async def test_depth_is_at_most_five(rita, alice, depth):
    answer = await rita.get(f"{PATH}/{alice.id}/referral-tree", params={"depth": depth})

    assert answer.status_code == 422


async def test_an_erased_user_stays_in_the_tree_without_a_name(rita, family):
    await rita.delete(f"{PATH}/{family['dave'].id}")

    nodes = {node["user_id"]: node for node in await tree_of(rita, family["bob"])}

    erased = nodes[family["dave"].id]
    assert (erased["status"], erased["email"], erased["display_name"]) == ("erased", None, "A friend")
    assert nodes[family["erin"].id]["referrer_id"] == family["dave"].id
    assert outline(await tree_of(rita, family["dave"], depth=1))[1:] == [
        (0, None, 1),
        (1, "erin@example.com", 1),
    ]


async def test_a_user_without_referrals_is_a_tree(rita, alice):
    assert outline(await tree_of(rita, alice)) == [(0, alice.email, 0)]


async def test_a_large_tree_is_limited_and_counts_all_referrals(app, api, alice):
    names = [f"friend{number}" for number in range(5)]
    await bring(api, alice, *names)
    values = {"user_id": uuid.UUID(alice.id), "depth": 2, "nodes": 1000}

    rows = await app.state.services.database.rows(referral_tree._TREE, children=2, **values)
    cut = await app.state.services.database.rows(referral_tree._TREE, **values | {"nodes": 4}, children=50)

    assert [row.email for row in rows] == [alice.email, "friend4@example.com", "friend3@example.com"]
    assert rows[0].referrals == 5
    assert [row.level for row in cut] == [0, 1, 1, 1]


async def test_an_unknown_user_is_refused(rita):
    answer = await rita.get(f"{PATH}/{uuid.uuid4()}/referral-tree")

    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
