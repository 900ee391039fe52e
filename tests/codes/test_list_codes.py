"""GET /api/v1/me/referral-codes"""

import pytest

from people import make_code

PATH = "/api/v1/me/referral-codes"


async def strings(person, **query):
    answer = await person.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [code["code"] for code in answer.json()["items"]]


async def prepare(person, *wanted):
    for string in wanted:
        await make_code(person, code=string, active=False)


async def pages(person, **query):
    """Return all pages, each as a list of codes."""
    found, cursor = [], {}
    while cursor is not None:
        answer = await person.get(PATH, params=query | cursor)
        assert answer.status_code == 200, answer.text
        found.append([code["code"] for code in answer.json()["items"]])
        following = answer.json()["next_cursor"]
        cursor = {"cursor": following} if following else None
    return found


@pytest.fixture
async def one_of_each(alice, clock):
    """Create a code of Alice's in each status, named after it."""
    await make_code(alice, code="EXPIRED", active=False, lifetime=60)
    clock.forward(seconds=61)
    await make_code(alice, code="RETIRED")
    await make_code(alice, code="ACTIVE", active=False)
    await alice.post(f"{PATH}/ACTIVE/activate", {"replace": True})
    await make_code(alice, code="PREPARED", active=False)
    await make_code(alice, code="DELETED", active=False)
    await alice.delete(f"{PATH}/DELETED")


async def test_lists_ones_own_codes_newest_first(alice, mallory):
    await prepare(alice, "first", "second", "third")
    await prepare(mallory, "fourth")

    assert await strings(alice) == ["third", "second", "first"]
    assert await strings(mallory) == ["fourth"]


async def test_the_list_can_be_empty(alice):
    answer = await alice.get(PATH)

    assert answer.json() == {"items": [], "next_cursor": None}


@pytest.mark.one_database
async def test_requires_authentication(api):
    answer = await api.get(PATH)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'


async def test_lists_every_status_but_deleted_codes(alice, one_of_each):
    answer = await alice.get(PATH)

    states = {code["code"]: code["status"] for code in answer.json()["items"]}
    assert states == {string: string.lower() for string in ("EXPIRED", "RETIRED", "ACTIVE", "PREPARED")}


@pytest.mark.parametrize("status", ["prepared", "active", "expired", "retired"])
async def test_filters_by_status(alice, one_of_each, status):
    assert await strings(alice, status=status) == [status.upper()]


async def test_an_active_code_past_its_term_is_expired(alice, clock):
    await make_code(alice, code="MINUTE", lifetime=60)
    clock.forward(seconds=60)

    assert await strings(alice, status="expired") == ["MINUTE"]
    assert await strings(alice, status="active") == []


@pytest.mark.one_database
@pytest.mark.parametrize("status", ["", "deleted", "ACTIVE", "active,expired", "null", "'"])
async def test_rejects_an_unknown_status(alice, status):
    answer = await alice.get(PATH, params={"status": status})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["query.status"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 100])
async def test_pages_contain_each_code_once(alice, limit):
    await prepare(alice, "code1", "code2", "code3", "code4", "code5")

    found = await pages(alice, limit=limit)

    assert [code for page in found for code in page] == ["code5", "code4", "code3", "code2", "code1"]
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1]


async def test_pages_keep_the_filter(alice, one_of_each):
    await prepare(alice, "another")

    assert await pages(alice, status="prepared", limit=1) == [["another"], ["PREPARED"]]


async def test_pages_are_stable_while_codes_change(alice):
    await prepare(alice, "code1", "code2", "code3", "code4")
    first = (await alice.get(PATH, params={"limit": 2})).json()
    await prepare(alice, "code5")
    await alice.delete(f"{PATH}/code3")

    assert await strings(alice, limit=2, cursor=first["next_cursor"]) == ["code2", "code1"]


async def test_the_default_limit_is_fifty(alice):
    await prepare(alice, *(f"code-{number}" for number in range(51)))

    assert [len(page) for page in await pages(alice)] == [50, 1]


INVALID_LIMITS = [
    "0", "-1", "101", "1000000000", "9" * 400, "1.0", "1e1", "0x1", "1_0", " 1", "+1", "", "１", "all",
    "null",
]  # fmt: skip


@pytest.mark.one_database
async def test_rejects_an_invalid_limit(alice):
    for limit in INVALID_LIMITS:
        answer = await alice.get(PATH, params={"limit": limit})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["query.limit"]


@pytest.mark.one_database
@pytest.mark.parametrize("query", ["limit=1&limit=1", "status=active&status=active", "cursor=a&cursor=b"])
async def test_rejects_a_repeated_parameter(alice, query):
    answer = await alice.get(f"{PATH}?{query}")

    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["repeated"]


@pytest.mark.one_database
async def test_refuses_unknown_parameters(alice, mallory):
    answer = await alice.get(PATH, params={"owner_id": mallory.id, "offset": 1})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
    assert {error["field"] for error in answer.json()["errors"]} == {"query.owner_id", "query.offset"}
